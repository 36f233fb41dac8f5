// One thread of the datapath: the way out, the way in, or both. It sleeps in the kernel; its bell means mail.
import { type MessagePort, workerData } from 'node:worker_threads';
import { egressNetworks, ingressNetworks, type Taps } from '../datapath/build.ts';
import { Coalescer } from '../datapath/coalescer.ts';
import { COUNTER, Counters } from '../datapath/counters.ts';
import { Egress, type EgressNetwork } from '../datapath/egress.ts';
import type { EngineState } from '../datapath/engine-state.ts';
import { Ingress, type IngressNetwork } from '../datapath/ingress.ts';
import { Moderation } from '../datapath/moderation.ts';
import { TAP_BATCH } from '../datapath/ports.ts';
import { Segmenter } from '../datapath/segmenter.ts';
import { warmUp } from '../datapath/warm-up.ts';
import { type CallBatch, openCallBatch } from '../host/call-batch.ts';
import { memoryCalls } from '../host/memory-calls.ts';
import { Poller, ring } from '../host/poller.ts';
import { tapPort } from '../host/tap.ts';
import { type OpenUnderlay, POOL_SIZE, underlayPort } from '../host/underlay.ts';
import { takeMail } from './mailbox.ts';

type Learned = {
  readonly kind: 'learned';
  /** of the state by which the peer is numbered */
  readonly sequence: number;
  readonly vni: number;
  readonly high: number;
  readonly low: number;
  readonly peer: number;
};

/** What a worker is told. */
export type Mail =
  | {
      readonly kind: 'state';
      readonly sequence: number;
      readonly state: EngineState;
      /** descriptor of each network's TAP, by VNI */
      readonly taps: ReadonlyMap<number, number>;
      readonly underlay: OpenUnderlay;
      /** whether the TAPs take UDP super-frames */
      readonly joinsUdp: boolean;
    }
  | Learned
  | { readonly kind: 'stop' };

/** What a worker says: which state it works by, that a TAP cannot be read, that the way to a peer is too narrow. */
export type Report =
  | { readonly kind: 'applied'; readonly sequence: number; readonly batching: CallBatch['kind'] }
  | { readonly kind: 'tap_gone'; readonly sequence: number; readonly vni: number }
  | { readonly kind: 'too_big'; readonly sequence: number; readonly peer: number };

export type WorkerData = {
  readonly role: 'egress' | 'ingress' | 'both';
  readonly segment: WebAssembly.Module;
  readonly coalesce: WebAssembly.Module;
  readonly port: number;
  readonly bell: number;
  readonly mail: MessagePort;
  /** the other direction's thread, where there is one; its bell is known to the way in */
  readonly neighbour: { readonly mail?: MessagePort; readonly bell?: number };
  readonly counters: SharedArrayBuffer;
};

const AGEING_MS = 10_000;

const data = workerData as WorkerData;
const calls = memoryCalls();
const batch = openCallBatch(calls, TAP_BATCH);
const address = (bytes: Uint8Array): bigint => BigInt(calls.addressOf(bytes));
const counters = new Counters(data.counters);

/** The way out of all networks. */
class Out {
  readonly #segmenter = new Segmenter(data.segment, address, data.port, POOL_SIZE);
  #networks: ReadonlyMap<number, EgressNetwork> = new Map();
  #egress: Egress | undefined;
  /** peers of whom that was said, which is enough once in a while */
  readonly #tooBigFor = new Set<number>();
  /** those whose TAP can be read, in the order of the poll set */
  readable: EgressNetwork[] = [];

  apply(mail: Extract<Mail, { kind: 'state' }>): void {
    const base = calls.addressOf(this.#segmenter.bytes);
    this.#networks = egressNetworks(mail.state, tapsOver(mail.taps, base), this.#segmenter, this.#networks);
    this.#tooBigFor.clear();
    this.#egress = new Egress(this.#segmenter, underlayPort(mail.underlay, calls, base), counters, (peer) => {
      if (this.#tooBigFor.has(peer)) return;
      this.#tooBigFor.add(peer);
      report({ kind: 'too_big', sequence: mail.sequence, peer });
    });
    this.readable = [...this.#networks.values()];
  }

  learn({ sequence, vni, high, low, peer }: Learned): void {
    const learned = this.#networks.get(vni)?.learned;
    if (peer < 0) learned?.delete(high, low);
    // Mail may have waited through several states, and a number rests for one only before another peer gets it.
    else if (sequence >= (current?.sequence ?? 0) - 1) learned?.set(high, low, peer);
  }

  /** @returns whether its TAP can go on being read */
  carry(network: EgressNetwork): boolean {
    return (this.#egress?.carry(network) ?? 0) >= 0;
  }

  age(): void {
    this.#tooBigFor.clear();
  }

  tick(now: number): void {
    for (const network of this.readable) network.storm.tick(now);
  }
}

/** The way in of all networks. */
class In {
  #networks: ReadonlyMap<number, IngressNetwork> = new Map();
  #coalescer: Coalescer | undefined;
  #joinsUdp = false;
  #second = 0;
  ingress: Ingress | undefined;

  apply(mail: Extract<Mail, { kind: 'state' }>): void {
    if (this.#coalescer === undefined || this.#joinsUdp !== mail.joinsUdp) {
      this.#coalescer = new Coalescer(data.coalesce, address, data.port, mail.joinsUdp);
      this.#joinsUdp = mail.joinsUdp;
    }
    const base = calls.addressOf(this.#coalescer.bytes);
    const built = ingressNetworks(
      mail.state,
      tapsOver(mail.taps, base),
      this.#coalescer,
      this.#networks,
      (vni) => (high, low, peer) => {
        tellLearned({ kind: 'learned', sequence: current?.sequence ?? 0, vni, high, low, peer });
      },
    );
    this.#networks = built.networks;
    const underlay = underlayPort(mail.underlay, calls, base);
    const parts = { coalescer: this.#coalescer, underlay, counters };
    this.ingress = new Ingress(parts, built.networks, built.sources);
  }

  tick(now: number): void {
    const second = Math.floor(now / 1000);
    if (second === this.#second) return;
    this.#second = second;
    for (const { learning } of this.#networks.values()) learning.tick();
  }

  age(seconds: number): void {
    for (const { learning } of this.#networks.values()) learning.age(seconds);
  }
}

const out = data.role === 'ingress' ? undefined : new Out();
const into = data.role === 'egress' ? undefined : new In();
let current: Extract<Mail, { kind: 'state' }> | undefined;
let poller = new Poller(calls, data.bell, []);
const status = { running: true };

function take(mail: Mail): void {
  if (mail.kind === 'stop') status.running = false;
  else if (mail.kind === 'learned') out?.learn(mail);
  else {
    current = mail;
    out?.apply(mail);
    into?.apply(mail);
    watch();
    report({ kind: 'applied', sequence: mail.sequence, batching: batch.kind });
  }
}

/** Sleeps from now on by the TAPs that can be read, and by the underlay. */
function watch(): void {
  const taps = (out?.readable ?? []).map(({ vni }) => current?.taps.get(vni) ?? -1);
  poller = new Poller(calls, data.bell, into && current ? [...taps, current.underlay.receive] : taps);
}

function tellLearned(mail: Learned): void {
  if (data.neighbour.mail === undefined) return out?.learn(mail);
  data.neighbour.mail.postMessage(mail);
  ring(data.neighbour.bell ?? -1);
}

function report(what: Report): void {
  data.mail.postMessage(what);
}

function tapsOver(descriptors: ReadonlyMap<number, number>, base: number): Taps {
  return new Map([...descriptors].map(([vni, descriptor]) => [vni, tapPort(descriptor, batch, base)]));
}

function readMail(): void {
  let more = takeMail(data.mail, (mail) => take(mail as Mail));
  const { mail: neighbour } = data.neighbour;
  if (neighbour !== undefined && takeMail(neighbour, (mail) => take(mail as Mail))) more = true;
  // The rest gets another turn, after the frames that wait.
  if (more) ring(data.bell);
}

/** A TAP that fails is not waited for any more, or its error would wake this thread for ever. */
function carryOut(): void {
  const networks = out?.readable ?? [];
  for (let index = 0; index < networks.length; index += 1) {
    const network = networks[index];
    if (network === undefined || !poller.isReady(index) || out?.carry(network) !== false) continue;
    out.readable = networks.filter((other) => other !== network);
    watch();
    report({ kind: 'tap_gone', sequence: current?.sequence ?? 0, vni: network.vni });
    return;
  }
}

/** While small frames come fast, the next turn waits for more of them. */
function rest(): void {
  const frames = counters.get(COUNTER.sent_frames) + counters.get(COUNTER.received_frames);
  const bytes = counters.get(COUNTER.sent_bytes) + counters.get(COUNTER.received_bytes);
  const microseconds = moderation.restAfter(frames, bytes);
  if (microseconds > 0) calls.rest(microseconds);
}

const moderation = new Moderation();
let aged = performance.now();
warmUp(data.segment, data.coalesce);
readMail();
while (status.running) {
  const asked = poller;
  if (poller.wait(into?.ingress === undefined ? -1 : AGEING_MS)) readMail();
  // Mail that changes what is waited for makes the answer meaningless; any other must not hold up the frames.
  if (poller !== asked) continue;
  const now = performance.now();
  out?.tick(now);
  into?.tick(now);
  const underlay = out?.readable.length ?? 0;
  carryOut();
  if (into?.ingress !== undefined && poller.isReady(underlay)) into.ingress.carry();
  rest();
  if (now - aged < AGEING_MS) continue;
  aged = now;
  out?.age();
  into?.age(Math.floor(now / 1000));
}
batch.close();
