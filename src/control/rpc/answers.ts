import { digestOfBytes } from '../../peers/record.ts';

type Known = { readonly digest: string; readonly answer: Promise<Buffer>; bytes: number };

/** What is kept of changes over a restart; the store satisfies it. */
export interface ChangeMemory {
  /** what was asked under that id, and what was answered; null: the service ended before that */
  find(id: string): { readonly digest: string; readonly answer: string | null } | undefined;
  /** @throws where it cannot be kept */
  begin(id: string, digest: string): void;
  finish(id: string, answer: string): void;
}

/** So many answers are kept, and so many bytes of them; an operator who repeats a request does so within seconds. */
const KEPT = 256;
const KEPT_BYTES = 4 * 1024 * 1024;

/**
 * The answers of this run by request id. A request that comes twice (QoS 1, a bridge, an impatient operator) is carried
 * out once and answered twice.
 */
export class Answers {
  readonly #known = new Map<string, Known>();

  /** The answer to the request with these bytes; `other` where the id stood for another request before. */
  find(id: string, request: Uint8Array): Promise<Buffer> | 'other' | undefined {
    const known = this.#known.get(id);
    if (known === undefined) return undefined;
    return known.digest === digestOfBytes(request) ? known.answer : 'other';
  }

  keep(id: string, request: Uint8Array, answer: Promise<Buffer>): void {
    const known: Known = { digest: digestOfBytes(request), answer, bytes: 0 };
    this.#known.set(id, known);
    this.#forget();
    void this.#weigh(known);
  }

  async #weigh(known: Known): Promise<void> {
    known.bytes = (await known.answer).length;
    this.#forget();
  }

  /** The oldest, until the others fit. */
  #forget(): void {
    let left = [...this.#known.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    for (const [id, { bytes }] of this.#known) {
      if (this.#known.size <= KEPT && left <= KEPT_BYTES) return;
      this.#known.delete(id);
      left -= bytes;
    }
  }
}
