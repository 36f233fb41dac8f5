// Answers everybody with a name and the address that it sees them from: NAME PORT BIND…, over TCP and UDP.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { once } from 'node:events';

const [name = '', port = '', ...binds] = process.argv.slice(2);

for (const host of binds) {
  const six = host.includes(':');
  const tcp = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(`${name} sees ${socket.remoteAddress ?? ''}\n`));
  });
  tcp.listen({ port: Number(port), host, ipv6Only: six });
  const udp = createSocket({ type: six ? 'udp6' : 'udp4', ipv6Only: six });
  udp.on('message', (_, from) => udp.send(`${name} sees ${from.address}\n`, from.port, from.address));
  udp.bind(Number(port), host);
  await Promise.all([once(tcp, 'listening'), once(udp, 'listening')]);
}
console.log('ready');
