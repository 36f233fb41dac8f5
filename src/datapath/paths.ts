import { isIPv6 } from 'node:net';

/** IP, UDP, VXLAN and the inner Ethernet header (RFC 7348 section 5) */
const OVERHEAD = { four: 50, six: 70 };
/** Every host takes as much (RFC 791 section 3.1): whatever a forged ICMP says, TCP's segments stay at 536 bytes. */
const LEAST = 576;

/** A way that passes less than its networks send: `mtu` is the longest IP packet that gets through inside. */
export type NarrowPath = { readonly ip: string; readonly mtu: number };

/** Which ways to other VTEPs' addresses are narrow. What the kernel knows of them is asked for, and asked for again. */
export class Paths {
  readonly #ask: (ip: string) => number | undefined;
  readonly #narrow = new Map<string, number>();

  /** @param ask the largest IP packet of the underlay that gets to an address, or undefined where that is not known */
  constructor(ask: (ip: string) => number | undefined) {
    this.#ask = ask;
  }

  get list(): readonly NarrowPath[] {
    return Array.from(this.#narrow, ([ip, mtu]) => ({ ip, mtu }));
  }

  mtuOf(ip: string): number | undefined {
    return this.#narrow.get(ip);
  }

  /** A packet was too big for the way to an address. Returns whether something new is known. @param mtu that is needed */
  look(ip: string, mtu: number): boolean {
    const before = this.mtuOf(ip);
    const outer = this.#ask(ip);
    const overhead = isIPv6(ip) ? OVERHEAD.six : OVERHEAD.four;
    const inner = outer === undefined ? mtu : Math.max(LEAST, outer - overhead);
    if (inner < mtu) this.#narrow.set(ip, inner);
    else this.#narrow.delete(ip);
    return this.mtuOf(ip) !== before;
  }

  /** Looks again at all narrow ways, and forgets those to others than these. Returns whether something changed. */
  lookAgain(mtu: number, ips: ReadonlySet<string>): boolean {
    const changes = this.list.map(({ ip }) => (ips.has(ip) ? this.look(ip, mtu) : this.#narrow.delete(ip)));
    return changes.includes(true);
  }
}
