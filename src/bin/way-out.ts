import { egressNetworks } from '../datapath/build.ts';
import { Egress, type EgressNetwork } from '../datapath/egress.ts';
import { Segmenter } from '../datapath/segmenter.ts';
import { tapPorts } from '../host/tap.ts';
import { POOL_SIZE, underlayPort } from '../host/underlay.ts';
import type { Learned, StateMail, Thread } from './datapath-mail.ts';

/** The way out of all networks. */
export class WayOut {
  readonly #thread: Thread;
  readonly #segmenter: Segmenter;
  #networks: ReadonlyMap<number, EgressNetwork> = new Map();
  #egress: Egress | undefined;
  #sequence = 0;
  /** said that packets were too big, which is enough once in a while */
  #saidTooBig = false;
  /** those whose TAP can be read, in the order of the poll set */
  readable: EgressNetwork[] = [];

  constructor(thread: Thread) {
    const { data, calls } = thread;
    this.#thread = thread;
    this.#segmenter = new Segmenter(data.segment, (bytes) => BigInt(calls.addressOf(bytes)), data.port, POOL_SIZE);
  }

  apply(mail: StateMail): void {
    const { calls, batch, counters } = this.#thread;
    const base = calls.addressOf(this.#segmenter.bytes);
    this.#networks = egressNetworks(mail.state, tapPorts(mail.taps, batch, base), this.#segmenter, this.#networks);
    this.#sequence = mail.sequence;
    this.#saidTooBig = false;
    const underlay = underlayPort(mail.underlay, calls, base);
    this.#egress = new Egress(this.#segmenter, underlay, counters, () => this.#tooBig());
    this.readable = [...this.#networks.values()];
  }

  learn({ sequence, vni, high, low, peer }: Learned): void {
    const learned = this.#networks.get(vni)?.learned;
    if (peer < 0) learned?.delete(high, low);
    // Mail may have waited through several states, and a number rests for one only before another peer gets it.
    else if (sequence >= this.#sequence - 1) learned?.set(high, low, peer);
  }

  /** @returns whether its TAP can go on being read */
  carry(network: EgressNetwork): boolean {
    return (this.#egress?.carry(network) ?? 0) >= 0;
  }

  age(): void {
    this.#saidTooBig = false;
  }

  tick(now: number): void {
    for (const network of this.readable) network.storm.tick(now);
    this.#egress?.tick(now);
  }

  #tooBig(): void {
    if (this.#saidTooBig) return;
    this.#saidTooBig = true;
    this.#thread.report({ kind: 'too_big', sequence: this.#sequence });
  }
}
