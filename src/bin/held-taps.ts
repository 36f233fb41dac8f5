import { attachTap, closeTap, type OpenTap } from '../host/tap.ts';
import { messageOf } from '../service/errors.ts';
import type { Log } from '../service/log.ts';

export type HeldTap = { readonly tap: OpenTap | undefined; readonly problem: string | null };

/** The TAPs that the process holds open, by name; or why one is not. */
export class HeldTaps {
  readonly #log: Log;
  #held = new Map<string, HeldTap>();
  #unwanted: OpenTap[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  get areAllOpen(): boolean {
    return [...this.#held.values()].every(({ problem }) => problem === null);
  }

  get(name: string): HeldTap | undefined {
    return this.#held.get(name);
  }

  /** Opens those wanted, as far as they are there, and lets the others go. */
  bring(names: ReadonlySet<string>): void {
    for (const [name, { tap }] of this.#held) if (!names.has(name) && tap !== undefined) this.#unwanted.push(tap);
    this.#held = new Map([...names].map((name) => [name, this.#open(name)]));
  }

  /** It cannot be read any more; the next `bring` opens it anew. Returns whether it was open. */
  lose(name: string): boolean {
    const tap = this.#held.get(name)?.tap;
    if (tap === undefined) return false;
    const problem = `${name}: the interface went away or down; it is opened again as soon as it is there`;
    this.#log.warn(problem);
    this.#unwanted.push(tap);
    this.#held.set(name, { tap: undefined, problem });
    return true;
  }

  /** Those let go, to be closed once no thread knows their numbers any more, which the kernel gives to the next file. */
  takeUnwanted(): readonly OpenTap[] {
    return this.#unwanted.splice(0);
  }

  close(): void {
    for (const { tap } of this.#held.values()) if (tap !== undefined) closeTap(tap);
  }

  #open(name: string): HeldTap {
    const before = this.#held.get(name);
    if (before?.tap !== undefined) return before;
    try {
      return { tap: attachTap(name), problem: null };
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== before?.problem) this.#log.warn(problem);
      return { tap: undefined, problem };
    }
  }
}
