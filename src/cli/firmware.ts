import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FirmwareStatus } from '../model/firmware.ts';
import type { Client } from './client.ts';
import { CliError, EXIT, type ExitCode, usageError } from './exit.ts';
import { firmwareLines } from './firmware-words.ts';
import type { Output } from './output.ts';
import type { Invocation, Verb } from './verb.ts';

/** What `/v1/firmware` answers; null: it is not Linkspan's to change. */
type Answer = {
  readonly firmware: FirmwareStatus | null;
  readonly healthy: boolean;
  readonly waiting_for: readonly string[];
};
type Brought = { readonly outcome: string; readonly version: string | null };

const POLL_MS = 1000;
const NONE = "this gateway's firmware is not Linkspan's to change: it runs no image with two slots";

export const FIRMWARE_VERBS: readonly Verb[] = [
  {
    name: 'firmware status',
    usage: '',
    summary: 'the running firmware, and how far another one is',
    arity: [0, 0],
    run: status,
  },
  {
    name: 'firmware install',
    usage: 'FILE|URL [--again]',
    summary: 'install a bundle beside the running one, and wait for it',
    arity: [1, 1],
    options: { again: { type: 'boolean' } },
    run: install,
  },
  {
    name: 'firmware activate',
    usage: '[VERSION]',
    summary: 'restart into the installed firmware; it has to prove itself',
    arity: [0, 1],
    run: activate,
  },
  {
    name: 'firmware health',
    usage: '',
    summary: 'exit 0 where the running firmware has proven itself',
    arity: [0, 0],
    run: health,
  },
  {
    name: 'factory-reset',
    usage: '--yes',
    summary: 'restart and forget all that is stored here',
    arity: [0, 0],
    options: { yes: { type: 'boolean' } },
    run: reset,
  },
];

async function status({ client, output, json }: Invocation): Promise<ExitCode> {
  const answer = await client.get<Answer>('/v1/firmware');
  if (json) output.json(answer);
  else if (answer.firmware === null) output.line(NONE);
  else for (const line of firmwareLines(answer.firmware)) output.line(line);
  return answer.firmware === null ? EXIT.refused : EXIT.ok;
}

async function health({ client, output, json }: Invocation): Promise<ExitCode> {
  const answer = await client.get<Answer>('/v1/firmware');
  if (json) output.json(answer);
  else output.line(answer.healthy ? 'healthy' : `waits for ${answer.waiting_for.join(', ')}`);
  return answer.healthy ? EXIT.ok : EXIT.failed;
}

async function install({ client, output, json, positionals, values }: Invocation): Promise<ExitCode> {
  const [place = ''] = positionals;
  const source = /^https?:\/\//.test(place) ? { url: place } : { file: resolve(place) };
  const again = values['again'] === true;
  const brought = await client.post<Brought>('/v1/firmware/install', JSON.stringify({ ...source, again }));
  const end = isUnderWay(brought.outcome) ? await ended(client, json ? undefined : output) : undefined;
  if (json) output.json(end ?? brought);
  else output.line(outcome(brought, end));
  return EXIT.ok;
}

function isUnderWay(state: string): boolean {
  return state === 'downloading' || state === 'installing';
}

/** The state that it ends in, where that is a good one. */
async function ended(client: Client, output: Output | undefined): Promise<FirmwareStatus> {
  let told = '';
  for (;;) {
    const { firmware } = await client.get<Answer>('/v1/firmware');
    if (firmware === null) throw new CliError(EXIT.refused, NONE);
    const { state, error } = firmware;
    if (!isUnderWay(state)) {
      if (error === null || state === 'rolled_back') return firmware;
      throw new CliError(state === 'refused' ? EXIT.refused : EXIT.failed, error.message, { firmware });
    }
    const [line = ''] = firmwareLines(firmware);
    if (line !== told) output?.line(line);
    told = line;
    await sleep(POLL_MS);
  }
}

function outcome({ outcome: at, version }: Brought, end: FirmwareStatus | undefined): string {
  if (at === 'running') return `firmware ${version} runs already`;
  const which = end?.target_version ?? version;
  if (at !== 'installed' && end?.state !== 'installed') return `firmware ${end?.version ?? version} runs already`;
  return `firmware ${which} is installed; linkspan firmware activate restarts into it`;
}

async function activate({ client, output, json, positionals: [version] }: Invocation): Promise<ExitCode> {
  const answer = await client.post<{ version: string }>('/v1/firmware/activate', JSON.stringify({ version }));
  if (json) output.json(answer);
  else output.line(`restarting into firmware ${answer.version}; it is rolled back unless it proves itself`);
  return EXIT.ok;
}

async function reset({ client, output, json, values }: Invocation): Promise<ExitCode> {
  if (values['yes'] !== true) {
    throw usageError('factory-reset forgets the configuration, keys and documents of this gateway; say --yes');
  }
  const answer = await client.post('/v1/factory-reset', JSON.stringify({ sure: true }));
  if (json) output.json(answer);
  else output.line('restarting; nothing that was stored here is kept');
  return EXIT.ok;
}
