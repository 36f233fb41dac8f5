import type { Mac } from '../model/mac.ts';
import type { MacEntry } from '../model/peer.ts';

/** Entries on a page, and their bytes as JSON: below the largest payload, and what a change costs each peer. */
export const PAGE_MACS = 200;
const PAGE_BYTES = 48 * 1024;

/** On which page each MAC is; 0 is the base record. */
export type Homes = ReadonlyMap<Mac, number>;
export type Paging = { readonly homes: Homes; readonly pages: readonly (readonly MacEntry[])[] };

/**
 * Divides a table into pages. A MAC stays on the page where it was, so that a change is published on its own page only;
 * where that leaves more than twice the pages needed, all are divided anew.
 */
export function paginate(macs: readonly MacEntry[], before: Homes): Paging {
  const kept = paged(macs, place(macs, before));
  if (kept.pages.length <= 2) return kept;
  const anew = paged(macs, place(macs, new Map()));
  return kept.pages.length > 2 * anew.pages.length ? anew : kept;
}

/** Where each goes: home if there is room, else to the first page that has some. */
function place(macs: readonly MacEntry[], before: Homes): Homes {
  const homes = new Map<Mac, number>();
  const rooms: Room[] = [];
  const settle = (entry: MacEntry, page: number): boolean => {
    const settled = (rooms[page] ??= new Room()).takes(entry);
    if (settled) homes.set(entry.m, page);
    return settled;
  };
  const homeless = macs.filter((entry) => {
    const home = before.get(entry.m);
    return home === undefined || !settle(entry, home);
  });
  let page = 0;
  for (const entry of homeless) while (!settle(entry, page)) page += 1;
  return homes;
}

/** In the table's own order, whatever the order in which they were placed: what has not changed has the same bytes. */
function paged(macs: readonly MacEntry[], homes: Homes): Paging {
  const pages: MacEntry[][] = [[]];
  for (const entry of macs) {
    const home = homes.get(entry.m) ?? 0;
    while (pages.length <= home) pages.push([]);
    pages[home]?.push(entry);
  }
  return { homes, pages };
}

class Room {
  #macs = 0;
  #bytes = 0;

  takes(entry: MacEntry): boolean {
    const bytes = this.#bytes + Buffer.byteLength(JSON.stringify(entry)) + 1;
    if (this.#macs >= PAGE_MACS || (this.#macs > 0 && bytes > PAGE_BYTES)) return false;
    this.#macs += 1;
    this.#bytes = bytes;
    return true;
  }
}
