import type { Vtep } from '../model/peer.ts';

/** As many as the segmenter's memory has room for. */
export const PEERS_MAX = 4096;

/**
 * Gives each VTEP a number that both directions know it by. A number stays as long as its VTEP is there, and rests for
 * one state before it is given away again: what one direction still tells the other about it meets nobody else.
 */
export class AddressBook {
  #numbers = new Map<string, number>();
  #resting = new Set<number>();

  /**
   * The numbers of exactly these VTEPs.
   * @throws RangeError where they are more than PEERS_MAX
   */
  assign(vteps: Iterable<Vtep>): ReadonlyMap<string, number> {
    const wanted = new Set([...vteps].map((vtep) => vtepKey(vtep)));
    const taken = new Set([...this.#numbers.values(), ...this.#resting]);
    const next = new Map([...this.#numbers].filter(([key]) => wanted.has(key)));
    const kept = new Set(next.values());
    this.#resting = new Set([...this.#numbers.values()].filter((number) => !kept.has(number)));
    let free = 0;
    for (const key of wanted) {
      if (next.has(key)) continue;
      while (taken.has(free)) free += 1;
      if (free >= PEERS_MAX) throw new RangeError(`more than ${PEERS_MAX} VTEPs`);
      taken.add(free);
      next.set(key, free);
    }
    this.#numbers = next;
    return next;
  }
}

export function vtepKey(vtep: Vtep): string {
  return `${vtep.ip} ${vtep.port}`;
}
