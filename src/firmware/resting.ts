import type { FirmwareStatus } from '../model/firmware.ts';
import { activatable, isUnderWay, type Situation } from './decide.ts';
import * as say from './words.ts';

export type Resting = Pick<FirmwareStatus, 'state' | 'target_version' | 'error'>;

/** What is said while nothing is done, by what was done before. */
export function resting(situation: Situation): Resting {
  const { running, wish, memory } = situation;
  const { attempt, refused } = memory;
  if (attempt && isUnderWay(attempt)) {
    const state = attempt.to.slot === running.slot ? 'proving' : 'activating';
    return { state, target_version: attempt.to.version, error: null };
  }
  if (refused && refused.url === wish?.url && refused.version === wish.version)
    return { state: 'refused', target_version: refused.version, error: refused.error };
  const installed = activatable(situation);
  if (installed) return { state: 'installed', target_version: installed.version, error: null };
  if (attempt?.phase === 'rolled_back' && attempt.from.slot === running.slot)
    return { state: 'rolled_back', target_version: attempt.to.version, error: say.rolledBack(attempt) };
  if (attempt?.phase === 'committed' && attempt.to.slot === running.slot)
    return { state: 'committed', target_version: attempt.to.version, error: null };
  return { state: 'idle', target_version: null, error: null };
}
