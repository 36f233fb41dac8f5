// Frames that were valid until something was done to them.
import { randomOf } from '../../src/datapath/fakes.ts';
import {
  bytesOf,
  ethernet,
  FLAG,
  GSO,
  icmp,
  ip4,
  ip6,
  plain,
  rawFrame,
  superFrame,
  tcp,
  TIMESTAMPS,
  udp,
  unfinished,
} from '../unit/support/frames.ts';
import { vxlan } from '../unit/support/segment-oracle.ts';
import { VNI } from '../unit/support/datapath.ts';

const MSS = Buffer.from('020405b401030307', 'hex');
const TAGS = ['81000001', '88a80002', '81000003'];
const hopByHop = { kind: 0, bytes: Buffer.from('0600010400000000', 'hex') };
const fragment = { kind: 44, bytes: Buffer.from('0600000100000001', 'hex') };

const layers = [
  tcp(bytesOf(100), { options: TIMESTAMPS }),
  tcp(bytesOf(0), { flags: FLAG.SYN, options: MSS }),
  tcp(bytesOf(0), { flags: FLAG.SYN, options: Buffer.from('0204000001010101', 'hex') }),
  tcp(bytesOf(1200), { options: bytesOf(40) }),
  udp(bytesOf(90)),
  udp(bytesOf(91), { none: true }),
  udp(vxlan(rawFrame('0806', bytesOf(28)), 9), { destination: 4789 }),
  icmp(bytesOf(56)),
];
const singles = layers.flatMap((layer) => [
  ethernet(ip4(layer)),
  ethernet(ip4(layer, { options: bytesOf(40), flags: 0x2001 })),
  ethernet(ip4(layer), { tags: TAGS, padding: 4 }),
  ethernet(ip6(layer)),
  ethernet(ip6(layer, { extension: hopByHop })),
  ethernet(ip6(layer, { extension: fragment }), { tags: TAGS.slice(1) }),
]);
const [long, jumbo] = [bytesOf(5000), bytesOf(60_000)];
const supers = [long, long, long, long, jumbo].flatMap((data) => [
  superFrame(ethernet(ip4(tcp(data, { options: TIMESTAMPS }))), GSO.TCPV4, 1398),
  superFrame(ethernet(ip6(tcp(data)), { tags: TAGS }), GSO.TCPV6, 1390),
  superFrame(ethernet(ip4(udp(data))), GSO.UDP_L4, 1400),
  superFrame(ethernet(ip6(udp(data), { extension: hopByHop })), GSO.UDP_L4, 1300),
]);
const raw = [rawFrame('0806', bytesOf(28)), rawFrame('8892', bytesOf(1450)), rawFrame('88cc', bytesOf(80))];

/** As a TAP gives them. */
export const TAP_FRAMES: readonly Buffer[] = [
  ...singles.map((frame) => unfinished(frame)),
  ...[...singles.map(({ bytes }) => bytes), ...raw].map((bytes) => plain(bytes)),
  ...supers,
  ...supers,
];

/** As they come over the underlay; TCP and UDP ones in an order in which they join. */
export const DATAGRAMS: readonly Buffer[] = [
  ...[...singles.map(({ bytes }) => bytes), ...raw].map((bytes) => vxlan(bytes, VNI)),
  ...Array.from({ length: 60 }, (_, index) => {
    const inner = tcp(bytesOf(200, index), { sequence: index * 200, options: TIMESTAMPS });
    return vxlan(ethernet(index < 40 ? ip4(inner, { id: index }) : ip6(inner)).bytes, VNI);
  }),
  ...Array.from({ length: 40 }, (_, index) => vxlan(ethernet(ip6(udp(bytesOf(200, index)))).bytes, VNI)),
];

/** Numbers at which code goes wrong. */
const NUMBERS = [
  0, 1, 2, 7, 8, 19, 20, 39, 40, 48, 60, 1399, 1400, 0x7fff, 0x8000, 0x8100, 0x0800, 0x86dd, 4789, 0xfffe, 0xffff,
];
const HEADERS = 110;

/** Damages copies of frames, the same way for the same seed; what it returns is overwritten by the next one. */
export class Mutator {
  readonly random: () => number;
  readonly #scratch = Buffer.alloc(65_600);

  constructor(seed: number) {
    this.random = randomOf(seed);
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** @param vnet whether a virtio header is in front, which is damaged more often */
  mutate(frame: Buffer, vnet: boolean): Buffer {
    frame.copy(this.#scratch);
    let { length } = frame;
    for (let count = this.below(4); count > 0; count -= 1)
      length = this.#damage(length, vnet && this.random() < 0.5 ? 10 : HEADERS);
    return this.#scratch.subarray(0, length);
  }

  #damage(length: number, within: number): number {
    const at = this.below(Math.min(within, length));
    const what = this.below(8);
    if (what === 0) return this.below(length + 1);
    if (what === 1) return Math.min(this.#scratch.length, length + this.below(70));
    if (length < 2) return length;
    if (what === 2) this.#scratch.writeUInt8(this.#scratch.readUInt8(at) ^ (1 << this.below(8)), at);
    else if (what === 3) this.#scratch.writeUInt8(this.below(256), at);
    else
      this.#writeNumber(
        Math.min(at, length - 2),
        what < 6 ? (NUMBERS[this.below(NUMBERS.length)] ?? 0) : length - this.below(60),
      );
    return length;
  }

  #writeNumber(at: number, value: number): void {
    if (this.random() < 0.5) this.#scratch.writeUInt16BE(value & 0xffff, at);
    else this.#scratch.writeUInt16LE(value & 0xffff, at);
  }
}
