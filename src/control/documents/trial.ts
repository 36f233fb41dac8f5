import type { BootTime } from '../../model/dhcp.ts';
import type { Problem } from '../../model/problem.ts';
import type { Owed, Trial } from '../../model/trial.ts';

/** Seconds that a document has to prove that the gateway is still there. */
export const PROOF_S = 60;
/** Seconds in which a peer that is silent has come to be known as down: its probes say so 3 s after its last answer. */
const SILENCE_S = 4;
/** After so many starts that came to nothing, the document is what ends the service. */
const STARTS_MAX = 2;

/** What is known of a document on trial. */
export type Evidence = {
  readonly now: BootTime;
  /** steps that failed in the last whole cycle with this document; undefined: there was none yet */
  readonly failing: readonly Problem[] | undefined;
  /** an uplink is still on its way (a WiFi network is being joined): what is reached meanwhile proves nothing */
  readonly moving: boolean;
  /** whether a fresh connection, begun after the document stood, came as far as the broker's host */
  readonly broker: 'unasked' | 'reached' | 'silent';
  /** seconds for which nothing of it has failed; undefined: something does */
  readonly stoodS: number | undefined;
  /** gateways that do not answer */
  readonly down: ReadonlySet<string>;
};

export type Verdict =
  | { readonly kind: 'wait'; readonly proven: boolean; readonly waitsFor: readonly string[] }
  | { readonly kind: 'commit' }
  | { readonly kind: 'back'; readonly problems: readonly Problem[] };

/** Whether the document is good, is to be taken back, or has still time. */
export function judge(trial: Trial, evidence: Evidence): Verdict {
  const elapsed = elapsedS(trial, evidence.now);
  if (elapsed === undefined) return back([restarted(trial)]);
  const lacks = trial.proven ? [] : lacking(trial.owed, evidence);
  const proven = lacks.length === 0;
  const unconfirmed = trial.confirmS !== null && !trial.confirmed;
  if (proven && !unconfirmed) return { kind: 'commit' };
  if (!proven && trial.proofS !== null && elapsed >= trial.proofS) {
    const why = lacks.flatMap(({ problems }) => problems(trial));
    if (why.length > 0) return back(why);
  }
  if (unconfirmed && elapsed >= trial.confirmS) return back([notConfirmed(trial)]);
  const waitsFor = [...lacks.map(({ what }) => what), ...(unconfirmed ? ['the confirmation'] : [])];
  return { kind: 'wait', proven, waitsFor };
}

/** A trial that an earlier run of the service left behind, as it goes on; or why it must not. */
export function resumed(trial: Trial, now: BootTime): Trial | readonly Problem[] {
  if (trial.starts >= STARTS_MAX) return [crashed(trial)];
  const going = { ...trial, starts: trial.starts + 1 };
  if (trial.started.boot === now.boot) return going;
  // RFC 6241 section 8.4.1: a device that restarts before the confirmation goes back. Where there is nothing to go back
  // to, or nothing that could harm, it begins anew.
  const isHarmless = trial.proofS === null && trial.confirmS === null;
  return isHarmless || trial.backTo === null ? { ...going, started: now } : [restarted(trial)];
}

/** Until it is taken back; null: it has no end. */
export function secondsLeft(trial: Trial, now: BootTime): number | null {
  const elapsed = elapsedS(trial, now) ?? 0;
  const limits = [trial.proven ? null : trial.proofS, trial.confirmed ? null : trial.confirmS];
  // One that is past its end and still here has nothing to go back to.
  const ends = limits.filter((limit) => limit !== null && limit > elapsed) as number[];
  return ends.length === 0 ? null : Math.max(0, Math.ceil(Math.min(...ends) - elapsed));
}

/** Undefined: the machine has been restarted since, and nobody knows. */
function elapsedS({ started }: Trial, now: BootTime): number | undefined {
  return started.boot === now.boot ? (now.ms - started.ms) / 1000 : undefined;
}

type Lack = { readonly what: string; readonly problems: (trial: Trial) => readonly Problem[] };

function lacking(owed: Owed, { failing, moving, broker, stoodS, down }: Evidence): readonly Lack[] {
  if (failing === undefined) return [{ what: 'a cycle that ends', problems: ({ version }) => [unfinished(version)] }];
  const lost = owed.peers.filter((peer) => down.has(peer));
  const isEarly = owed.peers.length > 0 && (stoodS ?? 0) < SILENCE_S;
  return [
    ...(failing.length > 0 ? [{ what: 'steps that fail', problems: (trial: Trial) => stepsFail(trial, failing) }] : []),
    ...(owed.broker && (moving || broker !== 'reached') ? [noBroker(moving || broker === 'silent')] : []),
    ...(isEarly ? [{ what: 'the peers', problems: () => [] }] : []),
    ...lost.map((peer) => ({ what: `peer ${peer}`, problems: ({ version }: Trial) => [peerLost(version, peer)] })),
  ];
}

/** One that is asked just now is not lost yet: that takes seconds. */
function noBroker(isLost: boolean): Lack {
  return { what: 'the broker', problems: ({ version }) => (isLost ? [brokerLost(version)] : []) };
}

function back(problems: readonly Problem[]): Verdict {
  return { kind: 'back', problems };
}

/** A first document has nothing behind it: what of it stands is more than nothing, and the rest is tried again. */
function stepsFail({ backTo, version }: Trial, failing: readonly Problem[]): readonly Problem[] {
  if (backTo === null) return [];
  return failing.map((problem) => ({ ...problem, message: `${takenBack(version)}: ${problem.message}` }));
}

const takenBack = (version: number): string => `version ${version} was taken back`;
const AGAIN = 'send it under a higher version';

function unfinished(version: number): Problem {
  const message = `${takenBack(version)}: its steps came to no end; see the log, then ${AGAIN}`;
  return { path: '', code: 'failed', message };
}

function brokerLost(version: number): Problem {
  const why = 'the broker was reached before and was not with it';
  const message = `${takenBack(version)}: ${why}; see what it changes on the way there, then ${AGAIN}`;
  return { path: '', code: 'broker_lost', message };
}

function peerLost(version: number, peer: string): Problem {
  const why = `gateway ${peer} answered before and did not with it`;
  const message = `${takenBack(version)}: ${why}; see what it changes on the way there, then ${AGAIN}`;
  return { path: '', code: 'peer_lost', message };
}

function notConfirmed({ version, confirmS }: Trial): Problem {
  const remedy = `${AGAIN} and confirm that in time: linkspan confirm`;
  const message = `${takenBack(version)}: nobody confirmed it within ${confirmS} s; ${remedy}`;
  return { path: '/confirm', code: 'not_confirmed', message };
}

function restarted({ version }: Trial): Problem {
  const message = `${takenBack(version)}: the machine was restarted before it had proven itself; ${AGAIN}`;
  return { path: '', code: 'restarted', message };
}

function crashed({ version, starts }: Trial): Problem {
  const why = `the service ended ${starts} times while it applied it`;
  return { path: '', code: 'restarted', message: `${takenBack(version)}: ${why}; see the log, then ${AGAIN}` };
}
