import { readDocument } from './document.ts';
import { EXIT, type ExitCode } from './exit.ts';
import type { Output } from './output.ts';
import type { Invocation, Verb } from './verb.ts';

type Change = { readonly path: string; readonly before?: unknown; readonly after?: unknown };
type Answer = { readonly running: number | null; readonly on_trial: boolean; readonly changes: readonly Change[] };

export const DIFF_VERBS: readonly Verb[] = [
  {
    name: 'diff',
    usage: '-f FILE',
    summary: 'what a document would change; exit 1 where it would',
    arity: [0, 0],
    options: { file: { type: 'string', short: 'f' } },
    run: diff,
  },
];

async function diff({ client, output, json, values }: Invocation): Promise<ExitCode> {
  const answer = await client.post<Answer>('/v1/diff', await readDocument(values));
  if (json) output.json(answer);
  else show(answer, output);
  return answer.changes.length === 0 ? EXIT.ok : EXIT.failed;
}

function show({ running, on_trial: onTrial, changes }: Answer, output: Output): void {
  const than = running === null ? 'nothing, since no document runs' : `version ${running}`;
  if (changes.length === 0) output.line(`means the same as ${than}`);
  for (const change of changes) output.line(lineOf(change));
  if (onTrial) output.line('it would be on trial: taken back unless it proves itself');
}

function lineOf({ path, before, after }: Change): string {
  if (before === undefined) return `+ ${path}: ${JSON.stringify(after)}`;
  if (after === undefined) return `- ${path}: ${JSON.stringify(before)}`;
  return `~ ${path}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`;
}
