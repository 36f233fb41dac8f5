import { ingressNetworks } from '../datapath/build.ts';
import { Coalescer } from '../datapath/coalescer.ts';
import { Ingress, type IngressNetwork } from '../datapath/ingress.ts';
import type { Learning } from '../datapath/learning.ts';
import { tapPorts } from '../host/tap.ts';
import { underlayPort } from '../host/underlay.ts';
import type { Learned, StateMail, Thread } from './datapath-mail.ts';

/** A MAC's moves are told once in so long at most. */
export const TICK_MS = 100;

/** The way in of all networks. */
export class WayIn {
  readonly #thread: Thread;
  readonly #onLearned: (mail: Learned) => void;
  #networks: ReadonlyMap<number, IngressNetwork> = new Map();
  #learnings: readonly Learning[] = [];
  #coalescer: Coalescer | undefined;
  #joinsUdp = false;
  #ticked = 0;
  #sequence = 0;
  ingress: Ingress | undefined;

  /** @param onLearned for the way out, on whichever thread it is */
  constructor(thread: Thread, onLearned: (mail: Learned) => void) {
    this.#thread = thread;
    this.#onLearned = onLearned;
  }

  apply(mail: StateMail): void {
    const { calls, batch, counters } = this.#thread;
    this.#sequence = mail.sequence;
    const coalescer = this.#coalescerFor(mail.joinsUdp);
    const base = calls.addressOf(coalescer.bytes);
    const taps = tapPorts(mail.taps, batch, base);
    // What has learned before goes on with its own function: it must not hold on to the sequence of then.
    const onLearned = (vni: number) => (high: number, low: number, peer: number) => {
      this.#onLearned({ kind: 'learned', sequence: this.#sequence, vni, high, low, peer });
    };
    const built = ingressNetworks(mail.state, taps, coalescer, this.#networks, onLearned);
    this.#networks = built.networks;
    this.#learnings = Array.from(built.networks.values(), ({ learning }) => learning);
    const underlay = underlayPort(mail.underlay, calls, base);
    const parts = { coalescer, underlay, counters };
    this.ingress = new Ingress(parts, built.networks, built.sources);
  }

  /** Whether a tick is due soon, come what may. */
  get owes(): boolean {
    return this.#learnings.some((learning) => learning.owes);
  }

  /** @param now in milliseconds */
  tick(now: number): void {
    if (now - this.#ticked < TICK_MS) return;
    this.#ticked = now;
    for (const learning of this.#learnings) learning.tick();
  }

  age(seconds: number): void {
    for (const learning of this.#learnings) learning.age(seconds);
  }

  /** The one that there is, unless the TAPs have changed in what they take. */
  #coalescerFor(joinsUdp: boolean): Coalescer {
    if (this.#coalescer !== undefined && this.#joinsUdp === joinsUdp) return this.#coalescer;
    const { data, calls } = this.#thread;
    this.#joinsUdp = joinsUdp;
    this.#coalescer = new Coalescer(data.coalesce, (bytes) => BigInt(calls.addressOf(bytes)), data.port, joinsUdp);
    return this.#coalescer;
  }
}
