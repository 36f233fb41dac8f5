import type { DocumentRecord } from '../../model/status.ts';
import { json } from '../../status/reply.ts';
import type { Route } from '../../status/router.ts';
import type { Comparison, Decision } from '../documents/answers.ts';
import { BadRequest, type Fields, parseJson, parseObject, shown } from '../request/request-body.ts';
import { post, refusal, rejected } from './writes.ts';

/** What is asked about documents that are here already. */
export interface Decisions {
  confirm(version?: number): Decision;
  rollback(version?: number): Decision;
  compare(body: Uint8Array): Comparison;
  readonly history: readonly DocumentRecord[];
}

const VERSION_SCHEMA = { type: 'object', properties: { version: { type: 'integer', minimum: 1 } } };

/** Confirm, rollback, diff and history: for the control socket only. */
export function documentRoutes(documents: Decisions): readonly Route[] {
  return [
    decide('/v1/confirm', 'Confirm the document on trial', (version) => documents.confirm(version)),
    decide('/v1/rollback', 'Go back to an applied document', (version) => documents.rollback(version)),
    post('/v1/diff', 'What a document would change', { $ref: '/schema/desired.json' }, (body) => {
      parseJson(body);
      const answer = documents.compare(body);
      if (!answer.ok) return rejected(answer.problems);
      const { running, on_trial, changes } = answer;
      return json({ running, on_trial, changes });
    }),
    {
      method: 'GET',
      path: '/v1/history',
      summary: 'The documents that are kept, newest first',
      produces: 'application/json',
      handle: () => json(documents.history),
    },
  ];
}

function decide(path: string, summary: string, act: (version?: number) => Decision): Route {
  return post(path, summary, VERSION_SCHEMA, (body) => {
    const decision = act(versionIn(parseObject(body)));
    return decision.ok ? json({ version: decision.version, state: decision.state }) : refusal(decision);
  });
}

/** @throws BadRequest */
function versionIn(fields: Fields): number | undefined {
  const { version } = fields;
  if (version === undefined) return undefined;
  if (typeof version === 'number' && Number.isSafeInteger(version) && version >= 1) return version;
  throw new BadRequest(`version: ${shown(version)} is not a whole number from 1 up; give one, or none`);
}
