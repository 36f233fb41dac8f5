import dgram from 'node:dgram';
import net from 'node:net';
import { decode, encode, type Packet, streamDecode, streamEncode } from 'dns-packet';

// A name server for tests, run as a program: answers any A question by one address and counts nothing.
// Usage: name-server.ts BIND-ADDRESS UDP-PORT TCP-PORT ANSWER
const [address = '', udpPort = '', tcpPort = '', answer = ''] = process.argv.slice(2);

/** `big.…` is too long for UDP without EDNS, so that its askers turn to TCP; `none.…` does not exist. */
function reply(query: Packet, stream: boolean): Packet {
  const [question] = query.questions ?? [];
  if (question === undefined || question.name.startsWith('none.')) {
    return { ...query, type: 'response', flags: 0x0083 | 0x0100, additionals: [] };
  }
  const truncated = question.name.startsWith('big.') && !stream;
  const count = question.name.startsWith('big.') ? 60 : 1;
  const { name } = question;
  const answers =
    question.type === 'A' && !truncated
      ? Array.from({ length: count }, () => ({ type: 'A' as const, name, ttl: 60, data: answer }))
      : [];
  const flags = 0x0180 | (truncated ? 0x0200 : 0);
  return { type: 'response', flags, questions: [question], answers, ...(query.id !== undefined && { id: query.id }) };
}

const udp = dgram.createSocket('udp4');
udp.on('message', (message, from) => udp.send(encode(reply(decode(message), false)), from.port, from.address));
udp.bind(Number(udpPort), address);
const tcp = net.createServer((socket) => {
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => {
    const query = streamDecode(bytes);
    socket.end(streamEncode(reply(query, true)));
  });
});
tcp.listen(Number(tcpPort), address, () => process.stdout.write('listening\n'));
