import type { GatewayEvent } from '../model/status.ts';
import { systemClock, type Clock } from '../service/clock.ts';

const RING = 200;

/** The gateway's latest events, newest last, kept in memory only: a flapping link must not wear out the disk. */
export class EventRing {
  readonly #clock: Clock;
  readonly #events: GatewayEvent[] = [];
  readonly #listeners = new Set<(event: GatewayEvent) => void>();
  #lastId = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Records an event, tells every subscriber and returns it with its id and time. */
  add(type: string, level: GatewayEvent['level'], message: string): GatewayEvent {
    this.#lastId += 1;
    const event = { id: this.#lastId, time: new Date(this.#clock.now()).toISOString(), type, level, message };
    this.#events.push(event);
    if (this.#events.length > RING) this.#events.shift();
    for (const listener of this.#listeners) listener(event);
    return event;
  }

  /** The last 200 events, oldest first. */
  list(): readonly GatewayEvent[] {
    return [...this.#events];
  }

  /** Calls `listener` with every event from now on; the result ends that. */
  subscribe(listener: (event: GatewayEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
