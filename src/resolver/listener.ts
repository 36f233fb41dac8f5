import dgram from 'node:dgram';
import net from 'node:net';
import { bindInside } from '../host/namespace-socket.ts';
import { RESOLVER_ADDRESS, type ResolverPorts } from '../host/resolver-redirect.ts';
import { framed, MessageStream } from './stream.ts';

/** Answers one message; undefined: it gets none. Never rejects. */
export type Answer = (message: Buffer, stream: boolean) => Promise<Buffer | undefined>;

const MAX_CONNECTIONS = 64;
const IDLE_MS = 10_000;
/** What one connection's asker may leave unread. */
const MAX_UNREAD = 64 * 1024;

/**
 * The resolver's two sockets inside the namespace at `path`, at 127.0.0.11.
 * @param port of both; 0: one each that the kernel picks, so that a workload that serves DNS itself finds 53 free
 * @throws SystemCallError `EADDRINUSE`; `ENOENT` where the namespace is gone
 */
export class Listener {
  readonly #udp: dgram.Socket;
  readonly #tcp: net.Server;
  readonly #connections = new Set<net.Socket>();
  readonly #answer: Answer;

  constructor(path: string, port: number, answer: Answer) {
    this.#answer = answer;
    const place = { ip: RESOLVER_ADDRESS, port };
    this.#udp = dgram.createSocket('udp4');
    this.#udp.bind({ fd: bindInside(path, 'udp', place) });
    this.#udp.on('message', (message, from) => void this.#answerDatagram(message, from));
    // A namespace that goes takes its sockets' traffic with it; the reconciler closes what is left.
    this.#udp.on('error', () => undefined);
    this.#tcp = net.createServer({ noDelay: true }, (socket) => this.#serve(socket));
    this.#tcp.maxConnections = MAX_CONNECTIONS;
    this.#tcp.on('error', () => undefined);
    try {
      this.#tcp.listen({ fd: bindInside(path, 'tcp', place) });
    } catch (error) {
      this.#udp.close();
      throw error;
    }
  }

  get ports(): ResolverPorts {
    return { udp: this.#udp.address().port, tcp: (this.#tcp.address() as net.AddressInfo).port };
  }

  close(): void {
    this.#udp.close();
    this.#tcp.close();
    for (const socket of this.#connections) socket.destroy();
  }

  async #answerDatagram(message: Buffer, from: dgram.RemoteInfo): Promise<void> {
    const answer = await this.#answer(message, false);
    if (answer === undefined) return;
    try {
      this.#udp.send(answer, from.port, from.address, () => undefined);
    } catch {
      // Closed while the answer was on its way.
    }
  }

  #serve(socket: net.Socket): void {
    this.#connections.add(socket);
    const incoming = new MessageStream();
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (chunk) => {
      for (const message of incoming.push(chunk)) void this.#answerStream(socket, message);
    });
  }

  async #answerStream(socket: net.Socket, message: Buffer): Promise<void> {
    const answer = await this.#answer(message, true);
    if (answer === undefined || socket.writableLength > MAX_UNREAD) socket.destroy();
    else if (socket.writable) socket.write(framed(answer));
  }
}
