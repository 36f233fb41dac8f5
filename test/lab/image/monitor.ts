import type { Socket } from 'node:net';
import { onLine } from '../vm/protocol.ts';

export type MonitorEvent = { readonly name: string; readonly data: Record<string, unknown> };
type Message = {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly data?: Record<string, unknown>;
};
type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };

/** QEMU's own control (QMP): what a hand at the device does, and what the board reports. */
export class Monitor {
  /** all that was reported so far */
  readonly events: MonitorEvent[] = [];
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    onLine(socket, (line) => this.#take(JSON.parse(line) as Message));
    socket.on('close', () => this.#waiting.splice(0).forEach(({ reject }) => reject(new Error('QEMU has ended'))));
  }

  static async over(socket: Socket): Promise<Monitor> {
    const monitor = new Monitor(socket);
    await monitor.execute('qmp_capabilities');
    return monitor;
  }

  execute(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
  }

  /** One of the commands for people, as for saved states; its words are its complaint. */
  async person(line: string): Promise<void> {
    const said = String(await this.execute('human-monitor-command', { 'command-line': line }));
    if (said.trim() !== '') throw new Error(`${line}: ${said.trim()}`);
  }

  #take(message: Message): void {
    if (message.event !== undefined) this.events.push({ name: message.event, data: message.data ?? {} });
    else if (message.error) this.#waiting.shift()?.reject(new Error(message.error.desc));
    else if ('return' in message) this.#waiting.shift()?.resolve(message.return);
  }
}
