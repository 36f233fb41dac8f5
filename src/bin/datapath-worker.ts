// One thread of the datapath: the way out, the way in, or both. It sleeps in the kernel; its bell means mail.
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Counters } from '../datapath/counters.ts';
import { Coalescer } from '../datapath/coalescer.ts';
import { Egress, type EgressNetwork } from '../datapath/egress.ts';
import { egressNetworks, ingressNetworks, type Taps } from '../datapath/build.ts';
import type { EngineState } from '../datapath/engine-state.ts';
import { Ingress, type IngressNetwork } from '../datapath/ingress.ts';
import { Segmenter } from '../datapath/segmenter.ts';
import { memoryCalls } from '../host/memory-calls.ts';
import { Poller, ring } from '../host/poller.ts';
import { tapPort } from '../host/tap.ts';
import { type OpenUnderlay, POOL_SIZE, underlayPort } from '../host/underlay.ts';

/** What a worker is told, by its own thread's port or the other direction's. */
export type Mail =
  | {
      readonly kind: 'state';
      readonly state: EngineState;
      /** descriptor of each network's TAP, by VNI */
      readonly taps: ReadonlyMap<number, number>;
      readonly underlay: OpenUnderlay;
    }
  | {
      readonly kind: 'learned';
      readonly vni: number;
      readonly high: number;
      readonly low: number;
      readonly peer: number;
    }
  | { readonly kind: 'stop' };

export type WorkerData = {
  readonly role: 'egress' | 'ingress' | 'both';
  readonly segment: WebAssembly.Module;
  readonly coalesce: WebAssembly.Module;
  readonly port: number;
  readonly joinsUdp: boolean;
  readonly bell: number;
  readonly mail: MessagePort;
  /** of the way out, for what the way in learns */
  readonly other?: { readonly bell: number; readonly mail: MessagePort };
  readonly counters: SharedArrayBuffer;
};

const AGEING_MS = 10_000;

const data = workerData as WorkerData;
const calls = memoryCalls();
const address = (bytes: Uint8Array): bigint => BigInt(calls.addressOf(bytes));
const counters = new Counters(data.counters);
const sends = data.role !== 'ingress';
const receives = data.role !== 'egress';
const segmenter = sends ? new Segmenter(data.segment, address, data.port, POOL_SIZE) : undefined;
const coalescer = receives ? new Coalescer(data.coalesce, address, data.port, data.joinsUdp) : undefined;

let out: { egress: Egress; networks: readonly EgressNetwork[] } | undefined;
let outNetworks: ReadonlyMap<number, EgressNetwork> = new Map();
let into: Ingress | undefined;
let inNetworks: ReadonlyMap<number, IngressNetwork> = new Map();
let poller = new Poller(calls, data.bell, []);
let running = true;

function take(mail: Mail): void {
  if (mail.kind === 'stop') running = false;
  else if (mail.kind === 'learned') outNetworks.get(mail.vni)?.learned.set(mail.high, mail.low, mail.peer);
  else apply(mail);
}

function apply(mail: Extract<Mail, { kind: 'state' }>): void {
  const descriptors: number[] = [];
  if (segmenter !== undefined) {
    const base = calls.addressOf(segmenter.bytes);
    outNetworks = egressNetworks(mail.state, tapsOver(mail.taps, base), segmenter, outNetworks);
    out = {
      egress: new Egress(segmenter, underlayPort(mail.underlay, calls, base), counters),
      networks: [...outNetworks.values()],
    };
    descriptors.push(...out.networks.map(({ vni }) => mail.taps.get(vni) ?? -1));
  }
  if (coalescer !== undefined) {
    const base = calls.addressOf(coalescer.bytes);
    const built = ingressNetworks(mail.state, tapsOver(mail.taps, base), inNetworks, (vni) => (high, low, peer) => {
      const learned: Mail = { kind: 'learned', vni, high, low, peer };
      if (data.other === undefined) return take(learned);
      data.other.mail.postMessage(learned);
      ring(data.other.bell);
    });
    inNetworks = built.networks;
    const underlay = underlayPort(mail.underlay, calls, base);
    into = new Ingress({ coalescer, underlay, counters }, built.networks, built.sources);
    descriptors.push(mail.underlay.receive);
  }
  poller = new Poller(calls, data.bell, descriptors);
}

function tapsOver(descriptors: ReadonlyMap<number, number>, base: number): Taps {
  return new Map([...descriptors].map(([vni, descriptor]) => [vni, tapPort(descriptor, calls, base)]));
}

function readMail(): void {
  for (const port of [data.mail]) {
    for (let mail = receiveMessageOnPort(port); mail !== undefined; mail = receiveMessageOnPort(port)) {
      take(mail.message as Mail);
    }
  }
}

readMail();
while (running) {
  const timeout = receives && inNetworks.size > 0 ? AGEING_MS : -1;
  if (poller.wait(timeout)) readMail();
  const networks = out?.networks ?? [];
  for (let index = 0; index < networks.length; index += 1) {
    const network = networks[index];
    if (network !== undefined && poller.isReady(index)) out?.egress.carry(network);
  }
  if (into !== undefined && poller.isReady(networks.length)) into.carry();
}
