import { type Coalescer, JOB } from './coalescer.ts';
import { COUNTER, type Counters, type DropReason } from './counters.ts';
import { Delivery } from './delivery.ts';
import type { MacTable } from './fdb.ts';
import { isGroup, isLinkLocal, isNobody, isTagged, macHigh, macLow } from './frame.ts';
import type { Learning } from './learning.ts';
import type { Tap, Underlay } from './ports.ts';
import type { Sources } from './sources.ts';

/** A network as the way in knows it. */
export type IngressNetwork = {
  readonly tap: Tap;
  readonly tagged: boolean;
  /** by the number that `Sources` gives an address: the peer that is let in from there, or STRANGER */
  readonly members: Int16Array;
  /** by the same: whether MACs are learned from there */
  readonly learns: Uint8Array;
  /** MACs that records speak of, which are never learned */
  readonly known: MacTable;
  readonly learning: Learning;
};

export const STRANGER = -1;

/** A frame's way in: underlay, checks, the network's TAP. */
export class Ingress {
  readonly #coalescer: Coalescer;
  readonly #underlay: Underlay;
  readonly #counters: Counters;
  readonly #networks: ReadonlyMap<number, IngressNetwork>;
  readonly #sources: Sources;
  readonly #delivery: Delivery;
  readonly #drop: (reason: DropReason, frames: number) => void;

  constructor(
    parts: { coalescer: Coalescer; underlay: Underlay; counters: Counters },
    networks: ReadonlyMap<number, IngressNetwork>,
    sources: Sources,
  ) {
    this.#coalescer = parts.coalescer;
    this.#underlay = parts.underlay;
    this.#counters = parts.counters;
    this.#networks = networks;
    this.#sources = sources;
    this.#delivery = new Delivery(parts.coalescer, parts.counters);
    this.#drop = (reason, frames) => parts.counters.add(COUNTER[reason], frames);
  }

  /** Carries one batch of what waits at the underlay. Returns the number of messages, or an error, negated. */
  carry(): number {
    const coalescer = this.#coalescer;
    coalescer.reset();
    const count = this.#underlay.receive(coalescer.messages, coalescer.messagesMax);
    for (let index = 0; index < count; index += 1) {
      const source = this.#sources.find(coalescer.bytes, coalescer.nameAt(index));
      if (source < 0) {
        this.#drop('unknown_source', coalescer.datagrams(index));
        continue;
      }
      if (!coalescer.hasRoom) this.#deliverAll();
      coalescer.receive(index, source);
    }
    if (count > 0) this.#counters.add(COUNTER.received_messages, count);
    this.#deliverAll();
    return count;
  }

  #deliverAll(): void {
    const coalescer = this.#coalescer;
    coalescer.flush();
    const jobs = coalescer.jobCount;
    for (let index = 0; index < jobs; index += 1) this.#deliver(index);
    this.#delivery.flush();
    coalescer.clearJobs();
    coalescer.takeCounts(this.#drop);
  }

  /** One frame, or a super-frame whose segments have all in common that is asked here. */
  #deliver(job: number): void {
    const coalescer = this.#coalescer;
    const { bytes } = coalescer;
    const frames = coalescer.job(job, JOB.frames);
    const network = this.#networks.get(coalescer.job(job, JOB.vni));
    if (network === undefined) return this.#drop('unknown_vni', frames);
    const source = coalescer.job(job, JOB.source);
    const peer = network.members[source] ?? STRANGER;
    if (peer === STRANGER) return this.#drop('unknown_source', frames);
    const frame = coalescer.job(job, JOB.ethernet);
    if (isGroup(bytes, frame + 6) || isNobody(bytes, frame + 6)) return this.#drop('group_source', frames);
    if (isLinkLocal(bytes, frame)) return this.#drop('link_local', frames);
    if (!network.tagged && isTagged(bytes, frame)) return this.#drop('inner_vlan', frames);
    if (network.learns[source] === 1) learn(network, macHigh(bytes, frame + 6), macLow(bytes, frame + 6), peer);
    return this.#delivery.put(network.tap, job);
  }
}

function learn(network: IngressNetwork, high: number, low: number, peer: number): void {
  if (network.known.get(high, low) < 0) network.learning.learn(high, low, peer);
}
