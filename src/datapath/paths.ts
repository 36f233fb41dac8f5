import { isIPv6 } from 'node:net';

/** IP, UDP, VXLAN and the inner Ethernet header (RFC 7348 section 5) */
const OVERHEAD = { four: 50, six: 70 };
/** Every host takes as much (RFC 791 section 3.1): whatever a forged ICMP says, TCP's segments stay at 536 bytes. */
const LEAST = 576;

/** A way that passes less than its networks send: `mtu` is the longest IP packet that gets through inside. */
export type NarrowPath = { readonly ip: string; readonly mtu: number };

/** Which ways to other VTEPs' addresses are narrow, as far as the kernel knows. */
export class Paths {
  readonly #ask: (ip: string) => number | undefined;
  #narrow: ReadonlyMap<string, number> = new Map();

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

  /**
   * Looks at the ways to all these addresses, since a link that becomes narrow is rarely that of one peer alone.
   * @param mtu that is needed
   * @returns whether anything is otherwise than before
   */
  look(mtu: number, ips: ReadonlySet<string>): boolean {
    const before = this.#narrow;
    const found = [...ips].map((ip) => [ip, this.#innerMtu(ip)] as const);
    this.#narrow = new Map(found.flatMap(([ip, inner]) => (inner !== undefined && inner < mtu ? [[ip, inner]] : [])));
    return this.#narrow.size !== before.size || this.list.some((path) => before.get(path.ip) !== path.mtu);
  }

  #innerMtu(ip: string): number | undefined {
    const outer = this.#ask(ip);
    return outer === undefined ? undefined : Math.max(LEAST, outer - (isIPv6(ip) ? OVERHEAD.six : OVERHEAD.four));
  }
}
