import { setTimeout as sleep } from 'node:timers/promises';

type Found<T> = Exclude<T, undefined | false | null>;

/**
 * Polls `condition` every 20 ms until it gives something other than undefined, null or false, and returns that. A
 * condition that throws counts as not met yet. After `timeoutMs` throws an error that names `what` and the last value
 * or error seen.
 */
export async function until<T>(what: string, condition: () => T | Promise<T>, timeoutMs = 10_000): Promise<Found<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const last = await attempt(condition);
    if (last.met) return last.value;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${last.seen}`);
    await sleep(20);
  }
}

type Attempt<T> = { met: true; value: Found<T> } | { met: false; seen: string };

async function attempt<T>(condition: () => T | Promise<T>): Promise<Attempt<T>> {
  try {
    const value = await condition();
    if (value === undefined || value === null || value === false) return { met: false, seen: String(value) };
    return { met: true, value: value as Found<T> };
  } catch (error) {
    return { met: false, seen: error instanceof Error ? error.message : String(error) };
  }
}
