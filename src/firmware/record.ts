import { type Attempt, decodeMemory, encodeMemory, type Memory, type Refused } from './memory.ts';
import type { Notes } from './ports.ts';

/** What is remembered over a restart into another version: on the disk before anybody acts on it. */
export class Record {
  readonly #notes: Notes;
  #memory: Memory;

  constructor(notes: Notes) {
    this.#notes = notes;
    this.#memory = decodeMemory(notes.load());
  }

  get memory(): Memory {
    return this.#memory;
  }

  set attempt(attempt: Attempt | undefined) {
    const { refused } = this.#memory;
    this.#save({ ...(attempt && { attempt }), ...(refused && { refused }) });
  }

  set refused(refused: Refused | undefined) {
    const { attempt } = this.#memory;
    this.#save({ ...(attempt && { attempt }), ...(refused && { refused }) });
  }

  #save(memory: Memory): void {
    const text = encodeMemory(memory);
    if (text === encodeMemory(this.#memory)) return;
    this.#notes.save(text);
    this.#memory = memory;
  }
}
