import type { PeerRecord, RecordPage } from '../model/peer.ts';
import type { FoundPage } from './loose-pages.ts';

type Parts = Map<string, RecordPage>;

/**
 * One peer's table in one VNI, put together from its base record and the pages that this lists by digest. What was
 * complete last holds until another is complete: never are pages of two tables in one.
 */
export class Table {
  /** the newest base record whose pages are not all here */
  #pending: PeerRecord | undefined;
  #parts: Parts = new Map();
  #heldParts: Parts = new Map();
  #held: PeerRecord | undefined;

  get pending(): PeerRecord | undefined {
    return this.#pending;
  }

  /** Takes a newer base record. @param loose finds a page that came before it */
  begin(base: PeerRecord, loose: (page: number, digest: string) => RecordPage | undefined): void {
    const before = [...this.#heldParts, ...this.#parts];
    const known = new Map(before);
    this.#pending = base;
    this.#parts = new Map();
    for (const [index, [, digest]] of (base.parts ?? []).entries()) {
      const part = known.get(partKey(index + 1, digest)) ?? loose(index + 1, digest);
      if (part) this.#parts.set(partKey(index + 1, digest), part);
    }
  }

  /** Whether the page is one that a base record here lists, and is kept. */
  offer({ digest, page }: FoundPage): boolean {
    const key = partKey(page.page, digest);
    const lists = (record: PeerRecord | undefined): boolean => record?.parts?.[page.page - 1]?.[1] === digest;
    if (lists(this.#pending)) this.#parts.set(key, page);
    // after a restart the table is held whole and its pages come one by one; the next base may list some of them
    if (lists(this.#held)) this.#heldParts.set(key, page);
    return lists(this.#pending) || lists(this.#held);
  }

  /** The table in one record, once: when its last part has come. */
  complete(): PeerRecord | undefined {
    const base = this.#pending;
    if (base === undefined || this.missing().length > 0) return undefined;
    [this.#pending, this.#held, this.#heldParts, this.#parts] = [undefined, base, this.#parts, new Map()];
    const further = (base.parts ?? []).flatMap(
      ([, digest], index) => this.#heldParts.get(partKey(index + 1, digest))?.macs ?? [],
    );
    return { ...base, macs: [...base.macs, ...further] };
  }

  /** Holds a table that was complete before a restart. */
  restore(record: PeerRecord): void {
    this.#held = record;
  }

  /** Pages that the newest base record lists and that are not here. */
  missing(): readonly number[] {
    return (this.#pending?.parts ?? []).flatMap(([, digest], index) =>
      this.#parts.has(partKey(index + 1, digest)) ? [] : [index + 1],
    );
  }
}

const partKey = (page: number, digest: string): string => `${page} ${digest}`;
