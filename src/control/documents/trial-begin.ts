import { type ParsedDocument, touchesTheWay } from '../../document/index.ts';
import { type DesiredState, NOTHING_DESIRED } from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import type { Owed, Trial } from '../../model/trial.ts';
import { PROOF_S } from './trial.ts';
import type { Surroundings } from './trial-run.ts';

export type Before = {
  readonly surroundings: Surroundings;
  /** the trial of the document that runs, which ends unproven */
  readonly open?: Trial | undefined;
  readonly running: { readonly version: number; readonly state: DesiredState } | undefined;
  /** the last known good */
  readonly proven?: DesiredState | undefined;
  /** what failed in the last whole cycle */
  readonly failing?: readonly Problem[] | undefined;
};

type Works = Omit<Owed, 'excused'>;
type Candidate = Pick<ParsedDocument, 'version' | 'state' | 'confirmS'>;

/** The trial of a document about to be applied; undefined: it can do no harm, and nobody asked for one. */
export function newTrial(candidate: Candidate, before: Before): Trial | undefined {
  const { running, open, proven } = before;
  const states = [running?.state ?? NOTHING_DESIRED, ...(open ? [proven ?? NOTHING_DESIRED] : [])];
  const touches = states.some((state) => touchesTheWay(state, candidate.state));
  if (!touches && candidate.confirmS === null) return undefined;
  return { ...begin(candidate, before, touches), backTo: open ? open.backTo : (running?.version ?? null) };
}

/** The trial of a document that an operator goes back to; it was confirmed at its time. */
export function revertTrial(candidate: Omit<Candidate, 'confirmS'>, before: Before): Trial {
  const { running } = before;
  const touches = touchesTheWay(running?.state ?? NOTHING_DESIRED, candidate.state);
  const trial = begin({ ...candidate, confirmS: null }, before, touches);
  return { ...trial, backTo: running?.version ?? null, reverts: true };
}

function begin(candidate: Candidate, before: Before, touches: boolean): Omit<Trial, 'backTo'> {
  const { version, confirmS } = candidate;
  return {
    version,
    started: before.surroundings.now(),
    proofS: touches ? PROOF_S : null,
    confirmS,
    owed: { ...(touches ? owedBy(candidate, before) : NOTHING_OWED), excused: excusedBy(before) },
    proven: false,
    confirmed: false,
    starts: 0,
    reverts: false,
  };
}

const NOTHING_OWED: Works = { broker: false, ownBroker: false, peers: [] };

/** With a document on trial, what it has broken is not excused. */
function excusedBy({ open, failing = [] }: Before): Owed['excused'] {
  return open?.owed.excused ?? failing.map(({ message }) => message);
}

/** What worked until now; with a document on trial that may have broken it: what worked before that. */
function owedBy({ state }: Candidate, { surroundings, open }: Before): Works {
  // One that only waits for its confirmation, or had nothing to prove, broke nothing, and may owe less than works.
  const debts = open === undefined || open.proven || open.proofS === null ? undefined : open.owed;
  const { connected, own } = surroundings.broker();
  const vnis = new Set(
    state.networks.flatMap((network) => (network.driver === 'overlay' ? [network.vni as number] : [])),
  );
  const peers = surroundings.peers().filter((peer) => peer.vnis.some((vni) => vnis.has(vni)));
  const up = peers.filter((peer) => (debts ? debts.peers.includes(peer.gateway) : peer.state === 'up'));
  const names = up.map(({ gateway }) => gateway);
  return { broker: debts?.broker ?? connected, ownBroker: debts?.ownBroker ?? own, peers: names };
}
