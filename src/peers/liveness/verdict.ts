import type { Probed } from './probed.ts';

/** Long enough for every broker to have said by then that a machine is gone: keepalive one and a half times, and more. */
const CONTRADICTED_MS = 60_000;

/**
 * Whether a VTEP is to be taken for dead. One that has fallen silent, while the broker goes on saying for a minute that its
 * gateway is there, may be at a site that has begun to drop ICMP: to flood to it in vain costs little, to cut it off much.
 * @param isAlive what the broker says; false where it cannot be asked
 * @param now monotonic milliseconds
 */
export function isDead(probed: Probed | undefined, isAlive: boolean, now: number): boolean {
  if (probed?.state !== 'down') return false;
  return !isAlive || now - (probed.answered ?? 0) < CONTRADICTED_MS;
}
