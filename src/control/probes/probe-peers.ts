import { type Refusal, refuse } from '../request/refusal.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PeerStatus } from '../../model/status.ts';
import { json, problem } from '../../status/reply.ts';
import type { Route } from '../../status/router.ts';
import type { WayProbes } from './way-probes.ts';
import { type Fields, optional, parseObject } from '../request/request-body.ts';
import { guarded } from '../socket/writes.ts';

/** A way whose routers do not say what they pass is searched for twenty seconds and more. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 50;
const NAME = '^[a-z0-9-]{1,63}$';

export type ProbeSource = {
  /** those that hold records, with what is known of them */
  readonly peers: () => readonly PeerStatus[];
  readonly probes: Pick<WayProbes, 'ask'>;
};

const PROBE_SCHEMA = {
  type: 'object',
  properties: { gateway: { type: 'string', pattern: NAME } },
} as const;

/** Asks one gateway's VTEP, or all, and how large a packet the way passes; returns what is known of them then. */
export async function probePeers(
  gateway: string | undefined,
  { peers, probes }: ProbeSource,
): Promise<{ readonly ok: true; readonly peers: readonly PeerStatus[] } | Refusal> {
  const chosen = (): readonly PeerStatus[] => peers().filter((one) => gateway === undefined || one.gateway === gateway);
  if (gateway !== undefined && chosen().length === 0) {
    const message = `no gateway ${gateway} is known; "linkspan peer ls" shows those that share a network with this one`;
    return refuse('not_found', 'failed', message);
  }
  const answered = [...new Set(chosen().map(({ vtep }) => vtep))].map((ip) => probes.ask(ip));
  for (let waited = 0; waited < PATIENCE_MS && !answered.every((isDone) => isDone()); waited += LOOK_MS) {
    await sleep(LOOK_MS);
  }
  return { ok: true, peers: chosen() };
}

/** @throws BadRequest that names the field */
export function parseProbe(fields: Fields): string | undefined {
  return optional(fields, 'gateway', NAME);
}

/** It sends packets, so it is for the control socket only. */
export function probeRoute(source: ProbeSource): Route {
  const run = async (body: Uint8Array): Promise<ReturnType<typeof json>> => {
    const outcome = await probePeers(parseProbe(parseObject(body)), source);
    return outcome.ok ? json(outcome.peers) : problem(404, outcome.problem.message, { errors: [outcome.problem] });
  };
  return {
    method: 'POST',
    path: '/v1/probe',
    summary: 'Probe the way to one peer, or to all',
    accepts: PROBE_SCHEMA,
    produces: 'application/json',
    handle: ({ body }) => guarded(body, run),
  };
}
