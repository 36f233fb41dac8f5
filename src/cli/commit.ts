import type { CandidateStatus, ConfigState, DocumentRecord } from '../model/status.ts';
import { cell, column } from './columns.ts';
import { EXIT, usageError, type ExitCode } from './exit.ts';
import type { Invocation, Verb } from './verb.ts';

type Decided = { readonly version: number | null; readonly state: ConfigState };

export const COMMIT_VERBS: readonly Verb[] = [
  {
    name: 'confirm',
    usage: '[VERSION]',
    summary: 'keep the document that waits for a confirmation',
    arity: [0, 1],
    run: (invocation) => decide(invocation, '/v1/confirm', confirmed),
  },
  {
    name: 'rollback',
    usage: '[VERSION]',
    summary: 'go back to an applied document, by default the last',
    arity: [0, 1],
    run: (invocation) => decide(invocation, '/v1/rollback', wentBack),
  },
  {
    name: 'history',
    usage: '',
    summary: 'the documents that are kept, newest first',
    arity: [0, 0],
    run: history,
  },
];

async function decide(
  { client, output, json, positionals }: Invocation,
  path: string,
  words: (decided: Decided) => string,
): Promise<ExitCode> {
  const [version] = positionals;
  if (version !== undefined && !/^[1-9]\d{0,15}$/.test(version))
    throw usageError(`${version} is not a version; linkspan history shows them`);
  const request = version === undefined ? {} : { version: Number(version) };
  const decided = await client.post<Decided>(path, JSON.stringify(request));
  if (json) output.json(decided);
  else output.line(words(decided));
  return EXIT.ok;
}

function confirmed({ version, state }: Decided): string {
  const rest = state === 'applying' ? '; it still has to prove itself' : '';
  return `version ${version} is confirmed${rest}`;
}

function wentBack({ version, state }: Decided): string {
  if (version === null) return 'back to no document at all';
  return state === 'applying' ? `going back to version ${version}` : `back at version ${version}`;
}

async function history({ client, output, json }: Invocation): Promise<ExitCode> {
  const records = await client.get<readonly DocumentRecord[]>('/v1/history');
  if (json) output.json(records);
  else historyTable(output, records);
  return EXIT.ok;
}

function historyTable(output: Invocation['output'], records: readonly DocumentRecord[]): void {
  const rows = records.map((one) => [
    cell(one.version),
    one.hash.slice(0, 8),
    one.running ? `${one.state}, runs` : one.state,
    cell(one.source),
    one.received.slice(0, 19).replace('T', ' '),
  ]);
  const titles = ['VERSION', 'HASH', 'STATE', 'FROM', 'RECEIVED'];
  output.table(
    titles.map((title) => column(title)),
    rows,
    'no documents',
    records.map(({ errors }) => errors[0]?.message ?? ''),
  );
}

/** What a document on trial waits for and how long, in words. */
export function trialWords({ version, seconds_left, waits_for }: CandidateStatus): string {
  const left = seconds_left === null ? '' : `; taken back in ${seconds_left} s otherwise`;
  return `version ${version} on trial, waits for ${waits_for.join(', ') || 'a cycle that ends'}${left}`;
}
