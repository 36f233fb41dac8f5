import type { FirmwareError, FirmwareWish } from '../model/firmware.ts';
import type { Attempt, Memory, Place } from './memory.ts';
import * as say from './words.ts';
import { isOlder } from './version.ts';

/** All that a decision hangs on. */
export type Situation = {
  readonly running: Place;
  /** what the other slot holds; undefined: nothing whole, or it is not known yet */
  readonly other: Place | undefined;
  /** the document's; undefined: it leaves the firmware alone */
  readonly wish: FirmwareWish | undefined;
  readonly memory: Memory;
  /** a restart would disturb nothing but the line: no document is on trial */
  readonly calm: boolean;
};

export type Decision =
  | { readonly kind: 'rest' }
  | { readonly kind: 'fetch'; readonly wish: FirmwareWish }
  | { readonly kind: 'activate'; readonly to: Place }
  | { readonly kind: 'refuse'; readonly wish: FirmwareWish; readonly error: FirmwareError };

const REST: Decision = { kind: 'rest' };

/** What is to be done for the document's wish, when nothing is under way. */
export function decide({ running, other, wish, memory, calm }: Situation): Decision {
  const { attempt, refused } = memory;
  if (wish === undefined || wish.version === running.version || (attempt && isUnderWay(attempt))) return REST;
  if (refused?.url === wish.url && refused.version === wish.version) return REST;
  if (attempt && wasRolledBack(attempt, wish)) return REST;
  if (isOlder(wish.version, running.version)) return { kind: 'refuse', wish, error: say.older(wish.version, running) };
  if (other?.version !== wish.version) return { kind: 'fetch', wish };
  return wish.activate === 'at_once' && calm ? { kind: 'activate', to: other } : REST;
}

/** Asked for, and neither kept nor rolled back. */
export function isUnderWay({ phase }: Attempt): boolean {
  return phase === 'activating' || phase === 'activated';
}

/** Whether that very wish has been tried: another document, or the same version from elsewhere, is another one. */
function wasRolledBack(attempt: Attempt, wish: FirmwareWish): boolean {
  return triedBefore(attempt, wish.version) && (attempt.url === null || attempt.url === wish.url);
}

/** What the other slot holds, where it can be activated. */
export function activatable({ running, other, memory }: Omit<Situation, 'wish' | 'calm'>): Place | undefined {
  if (other === undefined || other.version === running.version || isOlder(other.version, running.version))
    return undefined;
  const { attempt } = memory;
  return attempt && triedBefore(attempt, other.version) ? undefined : other;
}

/** Whether that version was rolled back. */
export function triedBefore({ phase, to }: Attempt, version: string): boolean {
  return phase === 'rolled_back' && to.version === version;
}

/** What a start makes of the last change; undefined: it never came to be. */
export function judged(attempt: Attempt, running: Place, boot: string): Attempt | undefined {
  const { phase, to } = attempt;
  if (phase === 'rolled_back') return attempt;
  if (to.slot === running.slot) return phase === 'committed' ? attempt : { ...attempt, phase: 'activated' };
  if (phase === 'activating') return undefined;
  // The machine has not been restarted yet.
  if (phase === 'activated' && attempt.boot === boot) return attempt;
  return { ...attempt, phase: 'rolled_back' };
}
