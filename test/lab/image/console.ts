import type { Socket } from 'node:net';

/** The gateway's console: all that bootloader, kernel and services write there, and when. */
export class Console {
  readonly #lines: { readonly at: number; readonly text: string }[] = [];
  #rest = '';

  /** @param clock seconds since power-on */
  constructor(socket: Socket, clock: () => number) {
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString('latin1')).split(/\r*\n/);
      this.#rest = lines.pop() ?? '';
      for (const text of lines) this.#lines.push({ at: clock(), text });
    });
  }

  /** When a line that matches came first, in seconds since power-on; undefined: not yet. */
  seen(pattern: RegExp): number | undefined {
    return this.#lines.find(({ text }) => pattern.test(text))?.at;
  }

  /** How many lines match. */
  count(pattern: RegExp): number {
    return this.#lines.filter(({ text }) => pattern.test(text)).length;
  }

  /** Every line with its time. */
  text(): string {
    const rest = this.#rest === '' ? '' : `          ${this.#rest}\n`;
    return this.#lines.map(({ at, text }) => `[${at.toFixed(2).padStart(7)}] ${text}\n`).join('') + rest;
  }
}
