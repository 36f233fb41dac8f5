import { randomInt } from 'node:crypto';
import type { Socket as UdpSocket } from 'node:dgram';
import type { Socket as TcpSocket } from 'node:net';
import { isAnswerTo, withId } from '../names/message.ts';
import { framed, MessageStream } from './stream.ts';

/** Fresh sockets to one server, connected or connecting: each query gets a port of its own. */
export type Server = { readonly udp: () => UdpSocket; readonly tcp: () => TcpSocket };

const IDS = 2 ** 16;

/**
 * Asks one server once and waits `timeoutMs`. The query goes out under a random id from a random port; only what comes
 * from that server, with that id and that question, is its answer, whose id is the asker's own again.
 * @throws Error where there is no answer
 */
export async function exchange(server: Server, query: Buffer, stream: boolean, timeoutMs: number): Promise<Buffer> {
  const sent = withId(query, randomInt(IDS));
  const answer = await (stream ? overTcp(server.tcp(), sent, timeoutMs) : overUdp(server.udp(), sent, timeoutMs));
  return withId(answer, query.readUInt16BE(0));
}

function overUdp(socket: UdpSocket, query: Buffer, timeoutMs: number): Promise<Buffer> {
  return settling(
    socket,
    timeoutMs,
    () => socket.close(),
    (resolve, reject) => {
      socket.once('connect', () => socket.send(query, (error) => error && reject(error)));
      socket.on('message', (message) => isAnswerTo(query, message) && resolve(message));
    },
  );
}

function overTcp(socket: TcpSocket, query: Buffer, timeoutMs: number): Promise<Buffer> {
  return settling(
    socket,
    timeoutMs,
    () => socket.destroy(),
    (resolve, reject) => {
      const incoming = new MessageStream();
      socket.on('data', (chunk) => {
        const found = incoming.push(chunk).find((message) => isAnswerTo(query, message));
        if (found) resolve(found);
      });
      socket.once('end', () => reject(new Error('the server closed the connection')));
      socket.write(framed(query));
    },
  );
}

type Listen = (resolve: (answer: Buffer) => void, reject: (error: Error) => void) => void;

/** The socket's life: until the answer, an error or the timeout. */
async function settling(
  socket: UdpSocket | TcpSocket,
  timeoutMs: number,
  close: () => void,
  listen: Listen,
): Promise<Buffer> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
      // Stays until the end: an error that comes after the answer is nobody's, and must not end the process.
      socket.on('error', reject);
      listen(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
    close();
  }
}
