import type { RecordPage } from '../model/peer.ts';
import { compareStamps } from './order.ts';

/** Pages held that no base record lists: of 12 kB as a rule, and a broker that lies could send them without an end. */
const MAX_LOOSE = 512;

export type FoundPage = { readonly digest: string; readonly page: RecordPage };

/** By topic, the newest page of those that came before a base record which lists them. */
export class LoosePages {
  readonly #pages = new Map<string, FoundPage>();

  put(key: string, found: FoundPage): void {
    const before = this.#pages.get(key);
    if (before && compareStamps(before.page, found.page) > 0) return;
    this.#pages.delete(key);
    this.#pages.set(key, found);
    const oldest = this.#pages.size > MAX_LOOSE ? this.#pages.keys().next().value : undefined;
    if (oldest !== undefined) this.#pages.delete(oldest);
  }

  /** The page of that digest, which is then loose no more. */
  take(key: string, digest: string): RecordPage | undefined {
    const found = this.#pages.get(key);
    if (found?.digest !== digest) return undefined;
    this.#pages.delete(key);
    return found.page;
  }
}
