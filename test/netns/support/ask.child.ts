// Asks a service once and prints what it answers: TRANSPORT ADDRESS PORT MILLISECONDS [SOURCEPORT].
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

const [transport = '', host = '', port = '', patience = '', source = ''] = process.argv.slice(2);

setTimeout(() => process.exit(1), Number(patience));

function answered(answer: Buffer): void {
  process.stdout.write(answer, () => process.exit(0));
}

if (transport === 'tcp') {
  const socket = connect({ host, port: Number(port), ...(source !== '' && { localPort: Number(source) }) });
  socket.on('connect', () => socket.write('hello'));
  socket.on('data', answered);
  socket.on('error', () => process.exit(1));
} else {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4', answered);
  socket.on('error', () => process.exit(1));
  socket.bind(source === '' ? 0 : Number(source), () => socket.send('hello', Number(port), host));
}
