import type { EndpointSpec } from '../drivers/driver.ts';
import { sandboxPath } from '../model/network.ts';
import { announce, announceOnce } from '../attach/announce.ts';

/** Below what neighbours and access points remember without a word: Linux asks anew after 30 s on average, others later. */
const INTERVAL_MS = 25_000;
/** 50 a second, each three times: below what the guards let cross by default, with room for others. */
const [TURN, TURN_MS] = [10, 200];

/** An endpoint whose interface stands, under that name. */
export type Reminded = { readonly spec: EndpointSpec; readonly name: string };

/**
 * Says where these are, to switches that have them behind another port. A few at a time: of all at once the guards would
 * let some of the first cross to other sites, and in each round the same ones.
 */
export function announceAll(moved: readonly Reminded[]): void {
  for (const { spec, name } of moved.slice(0, TURN)) announce(sandboxPath(spec.endpoint.sandbox), spec, name);
  const rest = moved.slice(TURN);
  if (rest.length > 0) setTimeout(() => announceAll(rest), TURN_MS).unref();
}

/**
 * Says again and again where workloads are that share the MAC of a WiFi station. An access point that answers ARP for
 * its stations knows one address of each, and learns the others only from what they send: a workload that only listens
 * was seen never to be found (moby issue 43270).
 */
export class Reminder {
  #reminded: readonly Reminded[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** All who are to be told of from now on; none stops it. */
  update(reminded: readonly Reminded[]): void {
    this.#reminded = reminded;
    if (reminded.length === 0) this.stop();
    else this.#timer ??= setInterval(() => this.#remind(), INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #remind(): void {
    for (const { spec, name } of this.#reminded) announceOnce(sandboxPath(spec.endpoint.sandbox), spec, name);
  }
}
