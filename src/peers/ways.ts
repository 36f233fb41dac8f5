import type { Remote, Vtep } from '../model/peer.ts';
import type { PeerStatus } from '../model/status.ts';
import type { DirectoryOptions } from './directory.ts';
import type { Probed } from './liveness/probed.ts';
import { isDead } from './liveness/verdict.ts';
import type { Owner } from './owner.ts';
import type { PeerEvents } from './peer-events.ts';
import { peerStatus } from './peer-status.ts';

export type Way = Pick<Remote, 'away' | 'down' | 'pathMtu'>;

/** The ways to the peers, by their probes and the broker's word; tells the operator who falls silent and who answers again. */
export class Ways {
  readonly #options: Pick<DirectoryOptions, 'probes' | 'isOnBroker' | 'clock'>;
  readonly #events: PeerEvents;

  constructor(options: Pick<DirectoryOptions, 'probes' | 'isOnBroker' | 'clock'>, events: PeerEvents) {
    [this.#options, this.#events] = [options, events];
  }

  to(owner: Owner, vtep: Vtep | undefined): Way {
    const { pathMtu } = this.#probed(vtep) ?? {};
    const dead = this.#isDead(owner, vtep) && ({ away: true, down: true } as const);
    return { ...(owner.isAway && { away: true as const }), ...dead, ...(pathMtu !== undefined && { pathMtu }) };
  }

  statusOf(owner: Owner): PeerStatus {
    const { vtep } = owner;
    return peerStatus(owner, this.#probed(vtep), this.#isDead(owner, vtep), this.#options.clock.monotonic());
  }

  /** Whether it answers by any kind of probe. */
  answers({ vtep }: Owner): boolean {
    return this.#probed(vtep)?.state === 'up';
  }

  /** Takes what the probes say of an address now; returns whether that is about any of these owners. */
  probed(ip: string, owners: readonly Owner[]): boolean {
    const state = this.#options.probes?.of(ip)?.state;
    const there = owners.filter(({ vtep }) => vtep?.ip === ip);
    if (state === undefined || there.length === 0) return false;
    for (const owner of there) {
      if (state === 'down' && !owner.isDown) this.#events.down(owner.gw, ip);
      if (state === 'up' && owner.isDown) this.#events.answers(owner.gw, ip);
      owner.isDown = state === 'down' || (state === 'suspect' && owner.isDown);
    }
    return true;
  }

  /** Tells where VXLAN does not reach one any more though it is there, and where it does again. */
  lookAtTunnel(owner: Owner): void {
    const { gw, vtep, isKnown, isAlive } = owner;
    const tunnel = isKnown ? this.#probed(vtep)?.tunnel : undefined;
    const isThere = isAlive && this.#isOnBroker && !this.#isDead(owner, vtep);
    const change = owner.lookAtTunnel(tunnel?.state, isThere, this.#options.clock.monotonic());
    this.#events.tunnel(gw, vtep?.ip, change);
  }

  get #isOnBroker(): boolean {
    return this.#options.isOnBroker?.() === true;
  }

  #probed(vtep: Vtep | undefined): Probed | undefined {
    return vtep && this.#options.probes?.of(vtep.ip);
  }

  #isDead({ isAlive }: Owner, vtep: Vtep | undefined): boolean {
    return isDead(this.#probed(vtep), isAlive && this.#isOnBroker, this.#options.clock.monotonic());
  }
}
