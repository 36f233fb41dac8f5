import type { Socket } from 'node:net';
import type { Machine } from '../machine.ts';
import type { HttpAnswer } from '../over-socket.ts';
import type { Reaper } from '../reaper.ts';
import type { Child, Order, Output } from '../spawn.ts';
import { type Event, onLine, type Request } from './protocol.ts';
import { connected } from './relay.ts';

type Listener = (event: Event) => void;

/** Nothing of a lab in the VM outlives the VM. */
const NO_REAPER: Reaper = { own: () => undefined, dismiss: () => undefined };

/** A running VM, as one lab sees it. */
export class VirtualMachine implements Machine {
  readonly #relay: Socket;
  readonly #listeners = new Map<number, Listener>();
  #last = 0;

  private constructor(relay: Socket) {
    this.#relay = relay;
    onLine(relay, (line) => {
      const event = JSON.parse(line) as Event;
      this.#listeners.get(event.id)?.(event);
    });
    relay.on('close', () => this.#ended());
  }

  /** @param path the socket of its relay */
  static async connect(path: string): Promise<VirtualMachine> {
    return new VirtualMachine(await connected(path));
  }

  /** Ends what still runs for this lab, without waiting for it. */
  close(): void {
    this.#relay.end();
  }

  readonly reaper = (): Reaper => NO_REAPER;

  readonly get = (socket: string, path: string): Promise<HttpAnswer> =>
    new Promise((resolve, reject) => {
      const id = this.#listen((event) => {
        this.#listeners.delete(id);
        if (event.event === 'answer') resolve(event.answer);
        if (event.event === 'failed') reject(new Error(event.message));
      });
      this.#send({ op: 'get', id, socket, path });
    });

  readonly spawn = (order: Order, output: Output): Promise<Child> =>
    new Promise((resolve, reject) => {
      let running = true;
      let end: (code: number | string) => void;
      const exited = new Promise<number | string>((ended) => (end = ended));
      const kill = (signal: NodeJS.Signals): void => this.#send({ op: 'kill', id, signal });
      const ended = (code: number | string): void => {
        this.#listeners.delete(id);
        running = false;
        end(code);
      };
      const id = this.#listen((event) => {
        if (event.event === 'started') resolve({ pid: event.pid, running: () => running, exited, kill });
        else if (event.event === 'output') output(event.stream, Buffer.from(event.bytes, 'base64'));
        else if (event.event === 'ended') ended(event.code);
        else if (event.event === 'failed') {
          // Of one that was started already: with the VM it has ended.
          reject(new Error(event.message));
          ended(event.message);
        }
      });
      this.#send({ op: 'start', id, ...order });
    });

  #listen(listener: Listener): number {
    this.#last += 1;
    this.#listeners.set(this.#last, listener);
    return this.#last;
  }

  #send(request: Request): void {
    if (this.#relay.writable) this.#relay.write(`${JSON.stringify(request)}\n`);
    else this.#ended();
  }

  #ended(): void {
    for (const [id, listener] of this.#listeners) listener({ id, event: 'failed', message: 'the VM has ended' });
  }
}
