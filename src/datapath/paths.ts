import { isIPv6 } from 'node:net';
import type { Vtep } from '../model/peer.ts';
import { vtepKey } from './address-book.ts';

/** IP, UDP, VXLAN and the inner Ethernet header (RFC 7348 section 5) */
const OVERHEAD = { four: 50, six: 70 };

/** A way that passes less than its networks send: `mtu` is the longest IP packet that gets through inside. */
export type NarrowPath = { readonly vtep: Vtep; readonly mtu: number };

/** Which ways to other VTEPs are narrow. What the kernel knows of them is asked for, and asked for again. */
export class Paths {
  readonly #ask: (vtep: Vtep) => number | undefined;
  readonly #narrow = new Map<string, NarrowPath>();

  /** @param ask the largest IP packet of the underlay that gets to a VTEP, or undefined where that is not known */
  constructor(ask: (vtep: Vtep) => number | undefined) {
    this.#ask = ask;
  }

  get list(): readonly NarrowPath[] {
    return [...this.#narrow.values()];
  }

  mtuOf(vtep: Vtep): number | undefined {
    return this.#narrow.get(vtepKey(vtep))?.mtu;
  }

  /** A packet was too big for the way to a VTEP. Returns whether something new is known. @param mtu that is needed */
  look(vtep: Vtep, mtu: number): boolean {
    const before = this.mtuOf(vtep);
    const outer = this.#ask(vtep);
    const inner = outer === undefined ? mtu : outer - (isIPv6(vtep.ip) ? OVERHEAD.six : OVERHEAD.four);
    if (inner < mtu) this.#narrow.set(vtepKey(vtep), { vtep, mtu: inner });
    else this.#narrow.delete(vtepKey(vtep));
    return this.mtuOf(vtep) !== before;
  }

  /** Looks again at all narrow ways, and forgets those to others than these. Returns whether something changed. */
  lookAgain(mtu: number, vteps: readonly Vtep[]): boolean {
    const wanted = new Set(vteps.map((vtep) => vtepKey(vtep)));
    const changes = this.list.map(({ vtep }) =>
      wanted.has(vtepKey(vtep)) ? this.look(vtep, mtu) : this.#narrow.delete(vtepKey(vtep)),
    );
    return changes.includes(true);
  }
}
