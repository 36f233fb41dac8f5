import type { EventSink } from '../model/status.ts';
import type { Clock } from '../service/clock.ts';
import { beganMessage, quietMessage, type ToldDrop } from './guard-words.ts';
import type { GuardDrop } from './guards.ts';

/** Without a drop for so long, a guard is quiet: many protocols speak every few minutes, and a storm does not pause. */
const QUIET_MS = 600_000;
const STORM_QUIET_MS = 30_000;

type Episode = { frames: number; last: number };

/** Tells when a guard begins to drop frames, and when it has been quiet again; never of single frames. */
export class GuardEpisodes {
  readonly #clock: Clock;
  readonly #event: EventSink;
  #seen: ReadonlyMap<string, number> | undefined;
  readonly #episodes = new Map<string, Episode>();

  constructor(clock: Clock, event: EventSink) {
    this.#clock = clock;
    this.#event = event;
  }

  /** @param drops all guards as they stand; what the first call has was dropped before this service began */
  update(drops: readonly GuardDrop[]): void {
    const before = this.#seen;
    this.#seen = new Map(drops.map((drop) => [keyOf(drop), drop.frames]));
    if (before === undefined) return;
    for (const drop of drops.filter(isTold)) this.#look(drop, before.get(keyOf(drop)) ?? 0);
    for (const key of this.#episodes.keys()) if (!this.#seen.has(key)) this.#episodes.delete(key);
  }

  #look(drop: ToldDrop, before: number): void {
    const key = keyOf(drop);
    const now = this.#clock.monotonic();
    const episode = this.#episodes.get(key);
    // Less than before: the port was made anew, and counts from zero.
    const more = drop.frames < before ? drop.frames : drop.frames - before;
    if (more > 0) {
      if (episode === undefined) this.#event('guard.dropping', levelOf(drop), beganMessage(drop, more));
      this.#episodes.set(key, { frames: (episode?.frames ?? 0) + more, last: now });
    } else if (episode !== undefined && now - episode.last >= quietOf(drop)) {
      this.#episodes.delete(key);
      this.#event('guard.quiet', 'info', quietMessage(drop, episode.frames));
    }
  }
}

function isTold(drop: GuardDrop): drop is ToldDrop {
  return drop.reason !== 'loop';
}

function keyOf({ network, reason, way }: GuardDrop): string {
  return `${network} ${reason} ${way}`;
}

function quietOf({ reason }: GuardDrop): number {
  return reason === 'storm' ? STORM_QUIET_MS : QUIET_MS;
}

/** What a site keeps to itself is as it should be; what comes from another, or storms, somebody should look at. */
function levelOf({ reason, way }: GuardDrop): 'info' | 'warning' {
  return way === 'in' || reason === 'storm' ? 'warning' : 'info';
}
