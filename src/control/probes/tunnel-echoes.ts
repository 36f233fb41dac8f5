import { randomBytes, randomInt } from 'node:crypto';
import type { openTunnelSocket, TunnelSocket } from '../../host/tunnel-socket.ts';
import { SystemCallError } from '../../host/libc.ts';
import type { Mac } from '../../model/mac.ts';
import { answeredSequence, tunnelAnswer, tunnelRequest } from '../../packet/tunnel-probe.ts';

/** Requests on their way that are remembered: more than are sent while anybody may still answer. */
const PENDING_MAX = 2048;

/** Where one VTEP is asked whether VXLAN gets there. */
export type TunnelTarget = {
  /** index of the network's port */
  readonly port: number;
  /** this gateway's MAC there, and the peer's */
  readonly from: Mac;
  readonly to: Mac;
};

type Pending = { readonly ip: string; readonly answer: Buffer };

/** Sends requests through VXLAN, and knows their answers from what anybody else may send. */
export class TunnelEchoes {
  readonly #open: typeof openTunnelSocket;
  readonly #pending = new Map<number, Pending>();
  #sequence = randomInt(0x10000);
  #socket: TunnelSocket | undefined;

  constructor(open: typeof openTunnelSocket) {
    this.#open = open;
  }

  /** Whether there is a socket, which this opens. */
  ready(): boolean {
    try {
      this.#socket ??= this.#open();
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
    }
    return this.#socket !== undefined;
  }

  /** Returns the request's sequence number. */
  send(ip: string, { port, from, to }: TunnelTarget): number {
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const request = { from, to, sequence: this.#sequence, token: randomBytes(8) };
    // anew, so that the oldest is the first
    this.#pending.delete(this.#sequence);
    this.#pending.set(this.#sequence, { ip, answer: tunnelAnswer(request) });
    const [oldest] = this.#pending.keys();
    if (this.#pending.size > PENDING_MAX && oldest !== undefined) this.#pending.delete(oldest);
    this.#socket?.send(tunnelRequest(request), port);
    return this.#sequence;
  }

  /** The answers that came since the last look, each once at most; `age`: how many milliseconds ago. */
  receive(): readonly { readonly ip: string; readonly sequence: number; readonly age: number }[] {
    return (this.#socket?.receive() ?? []).flatMap(({ frame, age }) => {
      const sequence = answeredSequence(frame);
      const pending = sequence === undefined ? undefined : this.#pending.get(sequence);
      if (sequence === undefined || !pending?.answer.equals(frame)) return [];
      this.#pending.delete(sequence);
      return [{ ip: pending.ip, sequence, age }];
    });
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}
