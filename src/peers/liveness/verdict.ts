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
/** Of one that is asked anew. */
const MISSED_ANEW = 5;

type Beat = Pick<Pulse, 'state' | 'answered' | 'missed'>;
type Before = { readonly state?: PulseState | undefined; readonly answered?: number | undefined };

/**
 * What two kinds of probes of one VTEP say together: who answers either lives, and one that has never answered says
 * nothing. Where VXLAN was the last to answer, and cannot be asked at present (this gateway's own datapath restarts, say), the
 * other one's silence is no proof.
 * @param tunnel through VXLAN; undefined: there is none
 * @param before what was last said of both, and when VXLAN answered last, by this or earlier probes
 */
export function together(echo: Beat, tunnel: Beat | undefined, before: Before = {}): PulseState {
  if (tunnel === undefined || tunnel.state === 'unprobed') return alone(echo, tunnel, before);
  if (echo.state === 'unprobed') return tunnel.state;
  if (echo.state === 'up' || tunnel.state === 'up') return 'up';
  const fellWith = (tunnel.answered ?? 0) <= (echo.answered ?? 0) + TOGETHER_MS;
  const isSilent = tunnel.state === 'down' || (fellWith && tunnel.missed >= MISSED_TOGETHER);
  return echo.state === 'down' && isSilent ? 'down' : 'suspect';
}

/** What pings say alone. @param anew probes through VXLAN that none has answered yet */
function alone(echo: Beat, anew: Beat | undefined, { state, answered = -Infinity }: Before): PulseState {
  const wasLast = state !== 'down' && answered > (echo.answered ?? -Infinity) + TOGETHER_MS;
  return echo.state === 'down' && wasLast && (anew?.missed ?? 0) < MISSED_ANEW ? 'suspect' : echo.state;
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
