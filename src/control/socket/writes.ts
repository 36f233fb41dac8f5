import type { Problem } from '../../model/problem.ts';
import type { EndpointStatus } from '../../model/status.ts';
import { json, problem, type Reply } from '../../status/reply.ts';
import type { Route } from '../../status/router.ts';
import {
  ATTACH_SCHEMA,
  type AttachRequest,
  CLEAR_SCHEMA,
  type ClearRequest,
  DETACH_SCHEMA,
  parseAttach,
  parseClear,
  parseDetach,
} from '../request/attach-request.ts';
import type { Refusal } from '../request/refusal.ts';
import { BadRequest, parseJson, parseObject } from '../request/request-body.ts';

/** What the control socket can ask of the gateway. */
export interface Commands {
  apply(body: Uint8Array): { accepted: true; version: number } | { accepted: false; problems: readonly Problem[] };
  /** The document's problems; none for a valid one. Changes nothing. */
  validate(body: Uint8Array): readonly Problem[];
  attach(request: AttachRequest): Promise<{ ok: true; endpoint: EndpointStatus } | Refusal>;
  /** Detaches a workload from one network, or from all where `network` is undefined. */
  detach(workload: string, network: string | undefined): Promise<{ ok: true; removed: number } | Refusal>;
  /** Takes a device's MAC that was found at two sites as an ordinary one again. */
  clear(request: ClearRequest): Promise<{ ok: true; cleared: string } | Refusal>;
}

/** The routes that change something: for the control socket only. */
export function writeRoutes(commands: Commands): readonly Route[] {
  const document = { $ref: '/schema/desired.json' };
  return [
    post('/v1/desired', 'Apply a desired document', document, (body) => apply(commands, body)),
    post('/v1/validate', 'Check a desired document', document, (body) => validate(commands, body)),
    post('/v1/attach', 'Put a workload on a network', ATTACH_SCHEMA, (body) => attach(commands, body)),
    post('/v1/detach', 'Take a workload off its networks', DETACH_SCHEMA, (body) => detach(commands, body)),
    post('/v1/clear', 'Clear a MAC that was found twice', CLEAR_SCHEMA, (body) => clear(commands, body)),
  ];
}

export type Write = (body: Uint8Array) => Reply | Promise<Reply>;

/** A route that takes JSON; a body that breaks its own rules is answered with 400. */
export function post(path: string, summary: string, accepts: object, run: Write): Route {
  const handle = ({ body }: { body: Uint8Array }): Promise<Reply> => guarded(body, run);
  return { method: 'POST', path, summary, accepts, produces: 'application/json', handle };
}

/** A body that cannot be read is its sender's fault. */
export async function guarded(body: Uint8Array, run: Write): Promise<Reply> {
  try {
    return await run(body);
  } catch (error) {
    if (error instanceof BadRequest) return problem(400, error.message);
    throw error;
  }
}

function apply(commands: Commands, body: Uint8Array): Reply {
  parseJson(body);
  const outcome = commands.apply(body);
  return outcome.accepted ? json(outcome, 202) : rejected(outcome.problems);
}

function validate(commands: Commands, body: Uint8Array): Reply {
  parseJson(body);
  const problems = commands.validate(body);
  return problems.length === 0 ? json({ valid: true }) : rejected(problems);
}

async function attach(commands: Commands, body: Uint8Array): Promise<Reply> {
  const outcome = await commands.attach(parseAttach(parseObject(body)));
  return outcome.ok ? json(outcome.endpoint) : refusal(outcome);
}

async function detach(commands: Commands, body: Uint8Array): Promise<Reply> {
  const { workload, network } = parseDetach(parseObject(body));
  const outcome = await commands.detach(workload, network);
  return outcome.ok ? json({ removed: outcome.removed }) : refusal(outcome);
}

async function clear(commands: Commands, body: Uint8Array): Promise<Reply> {
  const outcome = await commands.clear(parseClear(parseObject(body)));
  return outcome.ok ? json({ cleared: outcome.cleared }) : refusal(outcome);
}

export function rejected(problems: readonly Problem[]): Reply {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const detail = `the document has ${count}; nothing was changed, mend what \`errors\` names and send it again`;
  return problem(422, detail, { errors: problems });
}

const REFUSAL_STATUS = { not_found: 404, refused: 409, failed: 500 } as const;

export function refusal(outcome: Refusal): Reply {
  return problem(REFUSAL_STATUS[outcome.reason], outcome.problem.message, { errors: [outcome.problem] });
}
