import { type Mac, macBytes } from '../model/mac.ts';
import type { Vni } from '../model/vni.ts';
import { Coalescer } from './coalescer.ts';
import { Counters } from './counters.ts';
import { egressNetworks, ingressNetworks } from './build.ts';
import { Egress } from './egress.ts';
import { AddressBook } from './address-book.ts';
import { type EngineState, numberState } from './engine-state.ts';
import { type Datagram, MemoryUnderlay } from './fakes.ts';
import { MESSAGE } from './fake-memory.ts';
import { ERRNO, type Results, type Tap, TAP_BATCH, type Underlay } from './ports.ts';
import { Ingress } from './ingress.ts';
import { Segmenter } from './segmenter.ts';
import type { DatapathState } from './state.ts';

/** Rounds after which V8's compilers have done with every function on the way; some 60 ms. */
const ROUNDS = 600;
const PORT = 4789;
const OWN = '192.0.2.1';
const PEER = '192.0.2.2';
const VNI = 1 as Vni;
const MAC = '02:00:00:00:00:02' as Mac;

const STATE: DatapathState = {
  v: 1,
  vtep: { ip: OWN, port: PORT },
  networks: [
    {
      vni: VNI,
      tap: 'memory',
      mtu: 1450,
      tagged: false,
      bumPps: null,
      group: null,
      peers: [{ vtep: { ip: PEER, port: PORT }, macs: [MAC], learned: false }],
    },
  ],
};

/**
 * Carries frames of the common kinds out and in again, so that the first real one meets compiled code: cold, the first
 * pings of a network took 5 to 20 ms.
 */
export function warmUp(segment: WebAssembly.Module, coalesce: WebAssembly.Module): void {
  const engine = numberState(STATE, new AddressBook());
  const arriving = warmEgress(engine, segment);
  warmIngress(engine, coalesce, arriving);
}

/** Returns what the first round made. */
function warmEgress(engine: EngineState, module: WebAssembly.Module): readonly Datagram[] {
  const segmenter = new Segmenter(module, OFFSETS, PORT, 8);
  const made: Datagram[] = [];
  const memory = new MemoryUnderlay(segmenter.bytes, PEER, (datagram) => made.push(datagram));
  let round = 0;
  const underlay: Underlay = {
    // Only the first round allocates: what a whole warm-up would leave behind is 20 MB.
    send: (socket, messages, count) => (round === 0 ? memory.send(socket, messages, count) : count),
    receive: () => -ERRNO.EAGAIN,
  };
  const egress = new Egress(segmenter, underlay, new Counters(), () => undefined);
  let next = 0;
  const lengths = new Int32Array(segmenter.slotCount);
  const read = (at: number, size: number, count: number): Results => {
    for (let slot = 0; slot < count; slot += 1, next = (next + 1) % (FRAMES.length + 1)) {
      const frame = FRAMES[next];
      lengths[slot] = frame?.length ?? -ERRNO.EAGAIN;
      if (frame !== undefined) segmenter.bytes.set(frame, at + slot * size);
    }
    return lengths;
  };
  const tap: Tap = { read, put: () => undefined, flush: WRITTEN };
  const network = egressNetworks(engine, new Map([[VNI, tap]]), segmenter, new Map()).get(VNI);
  if (network === undefined) return made;
  for (; round < ROUNDS; round += 1) egress.carry(network);
  return made;
}

function warmIngress(engine: EngineState, module: WebAssembly.Module, arriving: readonly Datagram[]): void {
  const coalescer = new Coalescer(module, OFFSETS, PORT, true);
  const memory = new MemoryUnderlay(coalescer.bytes, OWN, () => undefined);
  memory.waiting.push(...arriving);
  const [messages, count] = [coalescer.messages, coalescer.messagesMax];
  coalescer.reset();
  const filled = memory.receive(messages, count);
  const first = coalescer.bytes.slice(messages, messages + count * MESSAGE.size);
  const receive = (): number => {
    // As the kernel fills them; the bytes that they point to lie there from before.
    coalescer.bytes.set(first, messages);
    return filled;
  };
  const tap: Tap = { read: WRITTEN, put: () => undefined, flush: WRITTEN };
  const built = ingressNetworks(engine, new Map([[VNI, tap]]), coalescer, new Map(), () => () => undefined);
  const parts = { coalescer, underlay: { receive, send: () => 0 }, counters: new Counters() };
  const ingress = new Ingress(parts, built.networks, built.sources);
  for (let round = 0; round < ROUNDS; round += 1) ingress.carry();
}

const OFFSETS = (): bigint => 0n;
const NOTHING_FAILED = new Int32Array(TAP_BATCH);
const WRITTEN = (): Results => NOTHING_FAILED;

/** A TCP super-frame, a small UDP datagram, an ARP request: virtio header first. */
const FRAMES: readonly Uint8Array[] = [tcp(8 * 1398), udp(64), arp()];

function ethernet(to: Buffer, payload: Buffer, type: number, vnet: Buffer): Uint8Array {
  const header = Buffer.from('0200000000010000', 'hex');
  header.writeUInt16BE(type, 6);
  return Buffer.concat([vnet, to, header, payload]);
}

function ipv4(protocol: number, payload: Buffer): Buffer {
  const header = Buffer.from('450000000000400040000000c0000201c0000202', 'hex');
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt8(protocol, 9);
  return Buffer.concat([header, payload]);
}

function tcp(length: number): Uint8Array {
  const header = Buffer.from('100010010000000000000000801000ff000000000101080a0000000000000000', 'hex');
  // NEEDS_CSUM, TCPv4, header length, segment size, where the checksum begins and stands
  const vnet = Buffer.from([1, 1, 66, 0, 1398 & 0xff, 1398 >> 8, 34, 0, 16, 0]);
  return ethernet(macBytes(MAC), ipv4(6, Buffer.concat([header, Buffer.alloc(length)])), 0x0800, vnet);
}

function udp(length: number): Uint8Array {
  const header = Buffer.from('1000100100000000', 'hex');
  header.writeUInt16BE(8 + length, 4);
  const vnet = Buffer.from([1, 0, 0, 0, 0, 0, 34, 0, 6, 0]);
  return ethernet(macBytes(MAC), ipv4(17, Buffer.concat([header, Buffer.alloc(length)])), 0x0800, vnet);
}

function arp(): Uint8Array {
  return ethernet(Buffer.alloc(6, 0xff), Buffer.alloc(28), 0x0806, Buffer.alloc(10));
}
