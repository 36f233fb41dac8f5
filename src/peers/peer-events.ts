import type { AliveState } from '../model/peer.ts';
import type { EventSink } from '../model/status.ts';
import { MAX_FLOORS } from './floors.ts';

/** More are counted, not named. */
const NAMED_MAX = 5;

/** What the operator is told of the peers. */
export class PeerEvents {
  readonly #event: EventSink;
  /** topics whose last message was refused: each is told once, however often it is sent */
  readonly #invalid = new Set<string>();

  constructor(event: EventSink) {
    this.#event = event;
  }

  state(gw: string, state: AliveState): void {
    if (state === 'up') this.#event('peer_up', 'info', `gateway ${gw} is on the broker`);
    else if (state === 'leaving') this.#event('peer_left', 'info', `gateway ${gw} has left the fleet`);
    else this.#event('peer_suspect', 'warning', `gateway ${gw} is off the broker; its entries stay`);
  }

  down(gw: string, ip: string): void {
    this.#event('peer_down', 'warning', `gateway ${gw} answers no probe at ${ip}; nothing is flooded to it any more`);
  }

  answers(gw: string, ip: string): void {
    this.#event('peer_answers', 'info', `gateway ${gw} answers again at ${ip}`);
  }

  /** @param change undefined: nothing to tell */
  tunnel(gw: string, ip = '', change?: 'silent' | 'answers'): void {
    if (change === 'answers') this.#event('peer_tunnel_answers', 'info', `VXLAN reaches gateway ${gw} at ${ip} again`);
    if (change !== 'silent') return;
    const remedy = `open VXLAN's UDP port in the firewalls between, both ways; if it is open, look whether ${gw}'s datapath runs`;
    const message = `gateway ${gw} is there, but VXLAN does not reach it at ${ip}: frames to it are lost on the way; ${remedy}`;
    this.#event('peer_tunnel_silent', 'warning', message);
  }

  /** Gateways whose stored records count no more, by the policy of this start. */
  unbelieved(gateways: readonly string[]): void {
    if (gateways.length === 0) return;
    const named = gateways.slice(0, NAMED_MAX).join(', ') + (gateways.length > NAMED_MAX ? ', …' : '');
    const what =
      'what was stored of them no enrolled key has signed for their networks, and nothing is sent to them by it';
    const remedy = 'enrol those that are yours, and have them sign (trust.fleetKey in their bootstrap files)';
    this.#event('peers_unbelieved', 'warning', `gateways ${named} (${gateways.length}): ${what}; ${remedy}`);
  }

  erased(key: string): void {
    const type = key.startsWith('vni/') ? 'record_erased' : 'alive_erased';
    this.#event(type, 'warning', `${key} was erased on the broker; what it said is kept`);
  }

  expired(key: string): void {
    const message = `${key} is forgotten: its gateway is away and has not renewed it for a day`;
    this.#event('record_expired', 'warning', message);
  }

  refused(key: string, reason: string): void {
    if (this.#invalid.has(key) || this.#invalid.size >= MAX_FLOORS) return;
    this.#invalid.add(key);
    this.#event('record_invalid', 'warning', `${key} is refused: ${reason}`);
  }

  /** A later refusal of that topic is news again. */
  accepted(key: string): void {
    this.#invalid.delete(key);
  }
}
