import { COUNTER, type Counters, type DropReason } from './counters.ts';
import { MacTable } from './fdb.ts';
import {
  ETHERNET_HEADER,
  framesFor,
  isGroup,
  isLinkLocal,
  isLoopProbe,
  isNobody,
  isTagged,
  macHigh,
  macLow,
  VNET_HEADER,
} from './frame.ts';
import { neighbourAnswer, type NeighbourTable } from './neighbours.ts';
import { ERRNO, type Tap, type Underlay } from './ports.ts';
import { type Segmenter, VERDICTS } from './segmenter.ts';
import { StormLimit } from './storm.ts';
import { answerTooBig } from './too-big.ts';

/** A network as the way out knows it. Peers are numbers: where their sockaddr is in the segmenter's memory. */
export type EgressNetwork = {
  readonly vni: number;
  readonly tap: Tap;
  readonly mtu: number;
  readonly tagged: boolean;
  /** MAC to peer, from the records */
  readonly known: MacTable;
  /** MAC to peer, learned from foreign VTEPs' frames */
  readonly learned: MacTable;
  /** for whose addresses is answered here */
  readonly neighbours: NeighbourTable;
  /** who gets what has no single target: the head-end's list, or the one group of the underlay */
  readonly flood: readonly number[];
  readonly storm: StormLimit;
};

/** Answers to what is too big, as many as Linux gives (icmp_msgs_per_sec). */
const ANSWERS_PER_S = 1000;
const IOVEC_SIZE = 16;

/** Groups of slots that one batch reads at most: the way in waits for it where both share a thread. */
const GROUPS_MAX = 32;

/**
 * A frame's way out: TAP, forwarding table, VXLAN, underlay. What a batch of reads makes is sent together, and nothing
 * is allocated on the way.
 */
export class Egress {
  readonly #segmenter: Segmenter;
  readonly #underlay: Underlay;
  readonly #counters: Counters;
  readonly #onTooBig: () => void;
  readonly #view: DataView;
  readonly #answers = new StormLimit(ANSWERS_PER_S);
  #answered = 0;

  /** @param onTooBig told of each message that is larger than the way of it */
  constructor(segmenter: Segmenter, underlay: Underlay, counters: Counters, onTooBig: () => void) {
    this.#segmenter = segmenter;
    this.#underlay = underlay;
    this.#counters = counters;
    this.#onTooBig = onTooBig;
    this.#view = new DataView(segmenter.bytes.buffer);
  }

  /** @param now monotonic, milliseconds */
  tick(now: number): void {
    this.#answers.tick(now);
  }

  /** Carries what waits at a network's TAP, at most one batch. Returns 0, or the TAP's error, negated. */
  carry(network: EgressNetwork): number {
    const { slots, slotSize, slotCount } = this.#segmenter;
    let failure = 0;
    let full = true;
    for (let group = 0; full && group < GROUPS_MAX && this.#segmenter.hasRoom; group += 1) {
      const lengths = network.tap.read(slots, slotSize, slotCount);
      for (let slot = 0; slot < slotCount; slot += 1) {
        const length = lengths[slot] ?? 0;
        full &&= length > 0;
        if (length > 0) this.#forward(network, slots + slot * slotSize, length);
        else if (length !== -ERRNO.EAGAIN) failure = length;
      }
      this.#giveAnswers(network.tap);
    }
    this.#send();
    return failure;
  }

  /** One frame: who is it for, and is it one that may pass? */
  #forward(network: EgressNetwork, at: number, length: number): void {
    this.#counters.add(COUNTER.tap_reads, 1);
    const { bytes } = this.#segmenter;
    const frame = at + VNET_HEADER;
    if (length < VNET_HEADER + ETHERNET_HEADER) return this.#drop('truncated', at, length);
    if (isGroup(bytes, frame + 6) || isNobody(bytes, frame + 6)) return this.#drop('group_source', at, length);
    if (isLinkLocal(bytes, frame)) return this.#drop('link_local', at, length);
    if (!network.tagged && isTagged(bytes, frame)) return this.#drop('inner_vlan', at, length);
    const toGroup = isGroup(bytes, frame);
    const peer = toGroup ? -1 : lookUp(network, macHigh(bytes, frame), macLow(bytes, frame));
    if (peer >= 0) this.#encapsulate(network, at, length, peer);
    else if (!network.storm.admits() && !isLoopProbe(bytes, frame)) this.#drop('storm', at, length);
    else if (!toGroup || !this.#answerNeighbour(network, at, length)) this.#flood(network, at, length);
  }

  /** Who asks all for an address that a record has is answered here, and nobody else hears it. */
  #answerNeighbour({ tap, neighbours }: EgressNetwork, at: number, length: number): boolean {
    if (neighbours.size === 0) return false;
    const answer = neighbourAnswer(this.#frame(at, length), neighbours);
    if (answer === undefined) return false;
    // The frame goes no further, and its slot has room for much longer ones.
    this.#put(tap, at, answer, at + VNET_HEADER + answer.length);
    this.#counters.add(COUNTER.suppressed, 1);
    return true;
  }

  /** To everybody in the network, once each. */
  #flood(network: EgressNetwork, at: number, length: number): void {
    const { flood } = network;
    const [first] = flood;
    if (first === undefined) return this.#drop('no_peer', at, length);
    this.#segmenter.seal();
    if (!this.#encapsulate(network, at, length, first)) return;
    for (let index = 1; index < flood.length; index += 1) this.#repeat(flood[index] ?? first);
    this.#segmenter.seal();
  }

  #repeat(peer: number): void {
    if (this.#segmenter.repeat(peer)) return;
    this.#sendAll();
    this.#segmenter.resetToRepeat();
    this.#segmenter.repeat(peer);
  }

  /** False where the frame was dropped. */
  #encapsulate(network: EgressNetwork, at: number, length: number, peer: number): boolean {
    const { vni, mtu } = network;
    let made = this.#segmenter.encapsulate(at, length, vni, peer, mtu);
    // A look into the table by a negative index would be one by name, and slow.
    if (made <= 0 && VERDICTS[-made] === 'full') {
      this.#send();
      made = this.#segmenter.encapsulate(at, length, vni, peer, mtu);
    }
    if (made <= 0) this.#refuse(-made, at, length);
    if (made <= 0 && VERDICTS[-made] === 'too_big') this.#answer(network, at, length);
    return made > 0;
  }

  /** Where frames come from a plant whose MTU is larger than the overlay's; workloads' own kernels know it. */
  #answer({ tap, mtu }: EgressNetwork, at: number, length: number): void {
    if (!this.#answers.admits()) return;
    const answer = answerTooBig(this.#frame(at, length), mtu);
    // It takes the frame's place, and what describes it the rest of that; in a network of the least MTU there is no room.
    if (answer === undefined || VNET_HEADER + answer.length + IOVEC_SIZE > length) return;
    this.#put(tap, at, answer, at + length - IOVEC_SIZE);
  }

  #frame(at: number, length: number): Buffer {
    return Buffer.from(this.#segmenter.bytes.buffer, at + VNET_HEADER, length - VNET_HEADER);
  }

  /** Gives the TAP an answer, which takes its frame's place. @param iovec where what describes it is written */
  #put(tap: Tap, at: number, answer: Uint8Array, iovec: number): void {
    const { bytes, address } = this.#segmenter;
    bytes.fill(0, at, at + VNET_HEADER);
    bytes.set(answer, at + VNET_HEADER);
    this.#view.setBigUint64(iovec, address + BigInt(at), true);
    this.#view.setBigUint64(iovec + 8, BigInt(VNET_HEADER + answer.length), true);
    tap.put(iovec, 1);
    this.#answered += 1;
  }

  /** Best effort: whoever does not hear one sends again. */
  #giveAnswers(tap: Tap): void {
    if (this.#answered > 0) tap.flush();
    this.#answered = 0;
  }

  /** A frame larger than all of the memory counts as malformed: no TAP gives one. */
  #refuse(verdict: number, at: number, length: number): void {
    const reason = VERDICTS[verdict];
    this.#drop(reason === undefined || reason === '' || reason === 'full' ? 'malformed' : reason, at, length);
  }

  #send(): void {
    this.#sendAll();
    this.#segmenter.reset();
  }

  /** Sends all messages; those of one socket in a row go in one call. */
  #sendAll(): void {
    const segmenter = this.#segmenter;
    const count = segmenter.messageCount;
    for (let next = 0; next < count;) {
      const socket = segmenter.socketOf(next);
      let end = next + 1;
      while (end < count && segmenter.socketOf(end) === socket) end += 1;
      const sent = this.#underlay.send(socket, segmenter.messageAt(next), end - next);
      if (sent > 0) this.#sent(next, sent);
      // The kernel tells an error only of the first message of a call, and that one is lost.
      else if (sent !== -ERRNO.EINTR) this.#lost(next, -sent);
      // UDP_SEGMENT is refused with EIO where the way out finishes no checksums (before Linux 6.11) or is encrypted (xfrm).
      if (sent === -ERRNO.EIO && segmenter.packetsOf(next) > 1) segmenter.single();
      if (sent !== -ERRNO.EINTR) next += Math.max(1, sent);
    }
  }

  #sent(first: number, count: number): void {
    this.#counters.add(COUNTER.sent_messages, count);
    let frames = 0;
    let bytes = 0;
    for (let index = first; index < first + count; index += 1) {
      frames += this.#segmenter.packetsOf(index);
      bytes += this.#segmenter.bytesOf(index);
    }
    this.#counters.add(COUNTER.sent_frames, frames);
    this.#counters.add(COUNTER.sent_bytes, bytes);
  }

  #lost(message: number, errno: number): void {
    const packets = this.#segmenter.packetsOf(message);
    // What is to be cut up into pieces that are too big is EINVAL before Linux 6.14.
    const reason = errno === ERRNO.EINVAL && packets > 1 ? 'too_big' : sendError(errno);
    this.#counters.add(COUNTER[reason], packets);
    if (reason === 'too_big') this.#onTooBig();
  }

  #drop(reason: DropReason, at: number, length: number): void {
    this.#counters.add(COUNTER[reason], framesFor(this.#segmenter.bytes, at, length));
  }
}

/** What the records say comes before what was learned. */
function lookUp(network: EgressNetwork, high: number, low: number): number {
  const peer = network.known.get(high, low);
  return peer >= 0 ? peer : network.learned.get(high, low);
}

function sendError(errno: number): DropReason {
  if (errno === ERRNO.EMSGSIZE) return 'too_big';
  if (errno === ERRNO.EAGAIN || errno === ERRNO.ENOBUFS) return 'queue_full';
  const unreachable = [ERRNO.ENETUNREACH, ERRNO.EHOSTUNREACH, ERRNO.ECONNREFUSED, ERRNO.ENETDOWN] as readonly number[];
  return unreachable.includes(errno) ? 'unreachable' : 'host_error';
}
