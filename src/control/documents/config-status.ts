import type { Problem } from '../../model/problem.ts';
import type { CandidateStatus, ConfigState, ConfigStatus } from '../../model/status.ts';
import type { TrialRun } from './trial-run.ts';

/** What is to be told beside what runs, until the next document. */
export type Told = { readonly state: 'rejected' | 'rolled_back'; readonly errors: readonly Problem[] };

type Numbered = { readonly version: number; readonly hash: string };

export type ConfigParts = {
  readonly good: Numbered | undefined;
  readonly running: Numbered | undefined;
  readonly trial: TrialRun | undefined;
  readonly told: Told | undefined;
  /** what fails or waits, since the last whole cycle; undefined: there was none with the running document */
  readonly problems: readonly Problem[] | undefined;
};

/** How far the gateway is with its document; the same while only time passes. */
export function configStatus(parts: ConfigParts): ConfigStatus {
  const { good, told, problems } = parts;
  return {
    applied_version: good?.version ?? null,
    applied_hash: good?.hash ?? null,
    state: stateOf(parts),
    lkg_version: good?.version ?? null,
    errors: told?.errors ?? problems ?? [],
    candidate: candidateOf(parts),
  };
}

function stateOf({ trial, told, running, problems }: ConfigParts): ConfigState {
  // Somebody has to act on this one, and soon.
  if (trial?.trial.proven && trial.waitsFor.length > 0) return 'confirming';
  if (told) return told.state;
  if (running === undefined) return 'none';
  const stands = problems?.every((problem) => problem.code !== 'failed') ?? false;
  return stands && trial === undefined ? 'applied' : 'applying';
}

function candidateOf({ trial, running }: ConfigParts): CandidateStatus | null {
  if (trial === undefined || running === undefined) return null;
  const { version, hash } = running;
  return { version, hash, seconds_left: null, waits_for: trial.waitsFor };
}
