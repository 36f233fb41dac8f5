import type { Refusal } from '../request/refusal.ts';
import type { Problem } from '../../model/problem.ts';
import type { Trial } from '../../model/trial.ts';
import { messageOf } from '../../service/errors.ts';

type Numbered = { readonly version: number; readonly hash: string };

/**
 * What is wrong with a document's version, where `newest` was accepted last: versions rise strictly, over those that were
 * taken back, too.
 */
export function versionProblem(
  document: Numbered,
  running: Numbered | undefined,
  newest: Numbered | undefined,
): readonly Problem[] {
  if (newest === undefined || document.version > newest.version) return [];
  const next = `give it version ${newest.version + 1} or higher`;
  if (document.version === running?.version && document.hash === running.hash) return [];
  if (document.version < newest.version) {
    const which = newest.version === running?.version ? 'which runs' : 'which was taken back';
    const message = `version ${document.version} is older than ${newest.version}, ${which}; ${next}`;
    return [{ path: '/version', code: 'version_old', message }];
  }
  if (document.hash === newest.hash) {
    const message = `version ${document.version} was taken back and is not tried again; ${next}`;
    return [{ path: '/version', code: 'rolled_back', message }];
  }
  const fate = document.version === running?.version ? 'runs already' : 'was taken back';
  const message = `version ${document.version} ${fate} with other contents; ${next}`;
  return [{ path: '/version', code: 'version_conflict', message }];
}

export function notRunning(asked: number, version: number | undefined): Problem {
  const what =
    version === undefined
      ? 'no document runs yet; publish a whole one'
      : `version ${version} runs; look at it, and ask again with its number`;
  return { path: '', code: 'version_conflict', message: `the request is about version ${asked}, but ${what}` };
}

/** What an operator took back by asking for `to`; null: nothing was there before. */
export function takenBackOnRequest(version: number, to: number | null): Problem {
  const where = to === null ? 'to no document at all' : `to version ${to}`;
  const message = `version ${version} was taken back on request, ${where}; give the next one a higher version`;
  return { path: '', code: 'rolled_back', message };
}

export function waitsForWord({ version, confirmS }: Trial): string {
  const end = `is taken back ${confirmS} s after it came`;
  return `document version ${version} stands and ${end} unless somebody confirms it: linkspan confirm ${version}`;
}

export function unsaved(version: number, error: unknown): string {
  const remedy = 'tried again until there is room on the disk; make some';
  return `what becomes of document version ${version} cannot be written: ${messageOf(error)}; ${remedy}`;
}

export function nothingToConfirm(version: number | undefined, candidate: number | undefined): Refusal {
  const which = version === undefined ? 'no document waits' : `version ${version} does not wait`;
  const other = candidate === undefined ? 'linkspan status says what runs' : `version ${candidate} does; confirm that`;
  return refusal('refused', 'nothing_to_confirm', `${which} for a confirmation; ${other}`);
}

export function nothingBefore(): Refusal {
  const message = 'there is no applied document before the one that runs; linkspan history shows what there is';
  return refusal('not_found', 'missing_version', message);
}

export function noSuchVersion(version: number): Refusal {
  const message = `document version ${version} is not kept; choose one that linkspan history shows as applied`;
  return refusal('not_found', 'missing_version', message);
}

export function neverApplied(version: number, state: string): Refusal {
  const what = state === 'rolled_back' ? 'was taken back' : 'was never applied';
  const message = `version ${version} ${what}; choose an applied one, or send it under a higher version`;
  return refusal('refused', 'rolled_back', message);
}

export function unreadable(version: number, why: string): Refusal {
  return refusal('refused', 'malformed', `version ${version} cannot be used any more: ${why}; send it mended and anew`);
}

function refusal(reason: Refusal['reason'], code: Problem['code'], message: string): Refusal {
  return { ok: false, reason, problem: { path: '', code, message } };
}
