import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** That many ports of 127.0.0.1 that nobody uses, neither over UDP nor, as far as that tells, over TCP. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const sockets: Socket[] = [];
  for (let n = 0; n < count; n += 1) {
    const socket = createSocket('udp4');
    sockets.push(socket);
    await once(socket.bind(0, '127.0.0.1'), 'listening');
  }
  const ports = sockets.map((socket) => socket.address().port);
  for (const socket of sockets) socket.close();
  return ports;
}
