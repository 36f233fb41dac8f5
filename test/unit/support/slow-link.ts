import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanups, freePort } from './sessions.ts';

/** A way to a broker on this host that carries so many bytes a second, each way, of each connection. */
export class SlowLink {
  readonly port: number;
  #connections = 0;
  #up = 0;
  #held = false;

  private constructor(port: number) {
    this.port = port;
  }

  static async to(broker: number, bytesPerSecond: number): Promise<SlowLink> {
    const link = new SlowLink(await freePort());
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      link.#connections += 1;
      const far = connect(broker, '127.0.0.1');
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on('error', () => undefined);
      }
      void carry(near, far, bytesPerSecond, (bytes) => (link.#up += bytes));
      void carry(far, near, bytesPerSecond, undefined, () => link.#held);
    });
    await new Promise<void>((resolve) => void server.listen(link.port, '127.0.0.1', resolve));
    cleanups.push(async () => {
      const closed = new Promise((resolve) => void server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    });
    return link;
  }

  /** From now on nothing that the broker says arrives. */
  hold(): void {
    this.#held = true;
  }

  /** So many were made to the broker. */
  get connections(): number {
    return this.#connections;
  }

  /** Bytes that went to the broker. */
  get up(): number {
    return this.#up;
  }
}

/** A quarter of a second's worth at a time: smoother than most links. */
const PARTS = 4;

async function carry(
  from: Socket,
  to: Socket,
  perSecond: number,
  count?: (bytes: number) => void,
  isHeld?: () => boolean,
): Promise<void> {
  const part = Math.ceil(perSecond / PARTS);
  try {
    for await (const chunk of from as AsyncIterable<Buffer>)
      for (let at = 0; at < chunk.length && !to.destroyed; at += part) {
        const bytes = chunk.subarray(at, at + part);
        await sleep((bytes.length / perSecond) * 1000);
        count?.(bytes.length);
        if (!isHeld?.()) to.write(bytes);
      }
  } catch {
    // either end is gone
  }
  from.destroy();
  to.destroy();
}
