import { type Mac, parseMac } from '../../../src/model/mac.ts';
import type { MacEntry } from '../../../src/model/peer.ts';
import { isVni, type Vni } from '../../../src/model/vni.ts';
import type { LocalState } from '../../../src/peers/publisher.ts';

export const FLEET = 'bench';
export const VNIS_EACH = 4;
export const GATEWAYS_A_VNI = 40;
export const MACS = 10;

/** Which gateway is in which VNI, and what it has there: the same for the same number of gateways. */
export class Shape {
  readonly gateways: number;
  readonly #vnis: number;
  readonly #members = new Map<Vni, number[]>();

  constructor(gateways: number) {
    this.gateways = gateways;
    this.#vnis = Math.max(VNIS_EACH, Math.round((gateways * VNIS_EACH) / GATEWAYS_A_VNI));
    for (let index = 0; index < gateways; index += 1)
      for (const id of this.vnisOf(index)) this.#members.set(id, [...this.membersOf(id), index]);
  }

  /** Its four VNIs. The stride changes, so that two gateways seldom share more than one. */
  vnisOf(index: number): readonly Vni[] {
    const widest = Math.max(1, Math.floor((this.#vnis - 1) / (VNIS_EACH - 1)));
    const stride = 1 + (Math.floor(index / this.#vnis) % widest);
    return Array.from({ length: VNIS_EACH }, (_, nth) => vni(1 + ((index + nth * stride) % this.#vnis)));
  }

  /** The gateways in a VNI. */
  membersOf(id: Vni): readonly number[] {
    return this.#members.get(id) ?? [];
  }

  /** The other gateways that share a VNI with this one. */
  peersOf(index: number): readonly number[] {
    const all = new Set(this.vnisOf(index).flatMap((id) => this.membersOf(id)));
    return [...all].filter((other) => other !== index);
  }

  /** How many records of others this gateway is to hold. */
  recordsFor(index: number): number {
    return this.vnisOf(index).reduce((sum, id) => sum + this.membersOf(id).length - 1, 0);
  }
}

export const nameOf = (index: number): string => `gw-${index}`;

/** What a gateway says of itself at first: in each VNI nine workloads, and a device that may move. */
export function localOf(shape: Shape, index: number): LocalState {
  const networks = shape.vnisOf(index).map((id) => ({
    vni: id,
    mtu: 1450,
    bum: 'replicate',
    macs: Array.from({ length: MACS }, (_, nth) => entryOf(id, index, nth)),
  }));
  return { vteps: [{ ip: `198.18.${index >> 8}.${index & 255}`, port: 4789 }], networks };
}

/** The MAC of the device of a gateway in a VNI: its last one. */
export const deviceOf = (id: Vni, index: number): Mac => macOf(id, index, MACS - 1);

function entryOf(id: Vni, index: number, nth: number): MacEntry {
  const isDevice = nth === MACS - 1;
  const ip = isDevice ? [] : [`10.${index >> 8}.${index & 255}.${nth + 1}`];
  return { m: macOf(id, index, nth), ip, q: 0, s: isDevice ? 0 : 1 };
}

function macOf(id: Vni, index: number, nth: number): Mac {
  const bytes = [0x02, id >> 8, id & 255, index >> 8, index & 255, nth];
  const mac = parseMac(bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));
  if (mac === undefined) throw new Error(`no MAC for ${id}, ${index}, ${nth}`);
  return mac;
}

function vni(number: number): Vni {
  if (!isVni(number)) throw new Error(`${number} is no VNI`);
  return number;
}
