import { digestOfBytes } from '../../peers/record.ts';

type Known = { readonly digest: string; readonly answer: Promise<Buffer> };

/** So many answers are kept; an operator who repeats a request does so within seconds. */
const KEPT = 256;

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
    this.#known.set(id, { digest: digestOfBytes(request), answer });
    const [oldest] = this.#known.keys();
    if (this.#known.size > KEPT && oldest !== undefined) this.#known.delete(oldest);
  }
}
