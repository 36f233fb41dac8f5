import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AddressBook } from '../../../src/datapath/address-book.ts';
import { egressNetworks, ingressNetworks } from '../../../src/datapath/build.ts';
import { Coalescer } from '../../../src/datapath/coalescer.ts';
import { Counters, DROP_REASONS, totals } from '../../../src/datapath/counters.ts';
import { Egress, type EgressNetwork } from '../../../src/datapath/egress.ts';
import { numberState } from '../../../src/datapath/engine-state.ts';
import { type Datagram, MemoryTap, MemoryUnderlay } from '../../../src/datapath/fakes.ts';
import { Ingress, type IngressNetwork } from '../../../src/datapath/ingress.ts';
import { Segmenter } from '../../../src/datapath/segmenter.ts';
import type { DatapathNetwork, DatapathPeer, DatapathState } from '../../../src/datapath/state.ts';
import { vni } from './values.ts';

export const PORT = 4789;
export const VNI = 7;
export const SOCKETS = 8;

const atZero = (): bigint => 0n;

/** As `npm run build` leaves them. */
function compiled(name: string): WebAssembly.Module {
  const file = join(import.meta.dirname, '..', '..', '..', 'dist', 'wasm', `${name}.wasm`);
  return new WebAssembly.Module(readFileSync(file));
}

const SEGMENT = compiled('segment');
const COALESCE = compiled('coalesce');

export const newSegmenter = (): Segmenter => new Segmenter(SEGMENT, atZero, PORT, SOCKETS);
export const newCoalescer = (joinsUdp = true): Coalescer => new Coalescer(COALESCE, atZero, PORT, joinsUdp);

export function peer(
  ip: string,
  over: Partial<Omit<DatapathPeer, 'vtep'>> & { readonly port?: number } = {},
): DatapathPeer {
  return { vtep: { ip, port: over.port ?? PORT }, macs: over.macs ?? [], learned: over.learned ?? false };
}

export function overlay(over: Partial<Omit<DatapathNetwork, 'vni'>> & { readonly vni?: number }): DatapathNetwork {
  const rest = { tap: 'lst0', mtu: 1450, tagged: false, bumPps: null, peers: [], group: null };
  return { ...rest, ...over, vni: vni(over.vni ?? VNI) };
}

/** A gateway's engine, both directions, between a TAP for each network and an underlay that are not the kernel's. */
export class Site {
  readonly ip: string;
  readonly segmenter = newSegmenter();
  readonly coalescer: Coalescer;
  readonly counters = { out: new Counters(), in: new Counters() };
  readonly underlay: { readonly out: MemoryUnderlay; readonly in: MemoryUnderlay };
  readonly taps = new Map<number, { readonly out: MemoryTap; readonly in: MemoryTap }>();
  /** how often a message was too big for its way */
  tooBig = 0;
  /** the MTU of narrow ways, by address */
  readonly paths = new Map<string, number>();
  readonly #book = new AddressBook();
  #out: ReadonlyMap<number, EgressNetwork> = new Map();
  #in: ReadonlyMap<number, IngressNetwork> = new Map();
  #ingress: Ingress | undefined;

  constructor(ip: string, network: (datagram: Datagram) => void, kernel = { gro: true, uso: true }) {
    this.ip = ip;
    this.coalescer = newCoalescer(kernel.uso);
    this.underlay = {
      out: new MemoryUnderlay(this.segmenter.bytes, ip, network),
      in: new MemoryUnderlay(this.coalescer.bytes, ip, network, kernel.gro),
    };
  }

  apply(...networks: readonly DatapathNetwork[]): void {
    const state: DatapathState = { v: 1, vtep: { ip: this.ip, port: PORT }, networks };
    const engine = numberState(state, this.#book, ({ ip }) => this.paths.get(ip));
    for (const { vni: number } of networks) this.#tap(number);
    const tapsOf = (way: 'out' | 'in'): Map<number, MemoryTap> =>
      new Map([...this.taps].map(([number, tap]) => [number, tap[way]]));
    this.#out = egressNetworks(engine, tapsOf('out'), this.segmenter, this.#out);
    const built = ingressNetworks(engine, tapsOf('in'), this.coalescer, this.#in, (number) => (high, low, value) => {
      const learned = this.#out.get(number)?.learned;
      if (value < 0) learned?.delete(high, low);
      else learned?.set(high, low, value);
    });
    this.#in = built.networks;
    const parts = { coalescer: this.coalescer, underlay: this.underlay.in, counters: this.counters.in };
    this.#ingress = new Ingress(parts, built.networks, built.sources);
  }

  /** Lets a workload send frames, virtio header first. */
  send(frames: readonly Buffer[], number = VNI): void {
    const tap = this.#tap(number).out;
    tap.waiting.push(...frames);
    const network = this.out(number);
    const onTooBig = (): void => void (this.tooBig += 1);
    const egress = new Egress(this.segmenter, this.underlay.out, this.counters.out, onTooBig);
    while (tap.waiting.length > 0) egress.carry(network);
  }

  /** Lets the engine take all that came; returns what its TAP got since the last time. */
  receive(number = VNI): Buffer[] {
    while ((this.#ingress?.carry() ?? -1) > 0);
    return this.#tap(number)
      .in.written.splice(0)
      .map((frame) => Buffer.from(frame));
  }

  out(number = VNI): EgressNetwork {
    const network = this.#out.get(number);
    if (network === undefined) throw new Error(`no network ${number}`);
    return network;
  }

  in(number = VNI): IngressNetwork {
    const network = this.#in.get(number);
    if (network === undefined) throw new Error(`no network ${number}`);
    return network;
  }

  /** The reasons that were counted, e.g. `{ storm: 3 }`. */
  drops(way: 'out' | 'in'): Record<string, number> {
    const { drops } = totals([this.counters[way]]);
    return Object.fromEntries(DROP_REASONS.filter((reason) => drops[reason] > 0).map((name) => [name, drops[name]]));
  }

  count(
    way: 'out' | 'in',
    name:
      | 'sent_frames'
      | 'sent_bytes'
      | 'sent_messages'
      | 'received_frames'
      | 'received_bytes'
      | 'tap_writes'
      | 'suppressed',
  ): number {
    return totals([this.counters[way]])[name];
  }

  #tap(number: number): { readonly out: MemoryTap; readonly in: MemoryTap } {
    const there = this.taps.get(number);
    if (there !== undefined) return there;
    const tap = { out: new MemoryTap(this.segmenter.bytes), in: new MemoryTap(this.coalescer.bytes) };
    this.taps.set(number, tap);
    return tap;
  }
}

/** Two gateways with one network, each the other's only peer. */
export function pair(
  over: Partial<Omit<DatapathNetwork, 'vni' | 'peers'>> = {},
  ips: readonly [string, string] = ['192.0.2.1', '192.0.2.2'],
): {
  readonly a: Site;
  readonly b: Site;
} {
  const a: Site = new Site(ips[0], (datagram) => b.underlay.in.waiting.push(datagram));
  const b: Site = new Site(ips[1], (datagram) => a.underlay.in.waiting.push(datagram));
  a.apply(overlay({ ...over, peers: [peer(ips[1])] }));
  b.apply(overlay({ ...over, peers: [peer(ips[0])] }));
  return { a, b };
}

/** What one gateway with one peer makes of frames. */
export function sentOf(
  frames: readonly Buffer[],
  over: Partial<Omit<DatapathNetwork, 'vni' | 'peers'>> = {},
): { readonly packets: Buffer[]; readonly site: Site } {
  const packets: Buffer[] = [];
  const site = new Site('192.0.2.1', ({ payload }) => packets.push(Buffer.from(payload)));
  site.apply(overlay({ ...over, peers: [peer('192.0.2.2')] }));
  site.send(frames);
  return { packets, site };
}
