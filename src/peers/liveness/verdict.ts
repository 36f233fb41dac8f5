import type { Probed } from './probed.ts';
import type { Pulse, PulseState } from './pulse.ts';

/** Long enough for every broker to have said by then that a machine is gone: keepalive one and a half times, and more. */
const CONTRADICTED_MS = 60_000;
/**
 * Where both fell silent together, they are asked together as well, and of the one that was asked rarely until then three
 * missed are as much as five: it need not wait for those.
 */
const TOGETHER_MS = 1000;
const MISSED_TOGETHER = 3;

type Beat = Pick<Pulse, 'state' | 'answered' | 'missed'>;

/**
 * What two kinds of probes of one VTEP say together: who answers either lives, and one that has never answered says
 * nothing.
 * @param tunnel through VXLAN; undefined: there is none
 */
export function together(echo: Beat, tunnel: Beat | undefined): PulseState {
  if (tunnel === undefined || tunnel.state === 'unprobed') return echo.state;
  if (echo.state === 'unprobed') return tunnel.state;
  if (echo.state === 'up' || tunnel.state === 'up') return 'up';
  const fellWith = (tunnel.answered ?? 0) <= (echo.answered ?? 0) + TOGETHER_MS;
  const isSilent = tunnel.state === 'down' || (fellWith && tunnel.missed >= MISSED_TOGETHER);
  return echo.state === 'down' && isSilent ? 'down' : 'suspect';
}

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
