import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigStatus, GatewayStatus } from '../model/status.ts';
import { messageOf } from '../service/errors.ts';
import type { Client } from './client.ts';
import { trialWords } from './commit.ts';
import { CliError, EXIT, usageError, type ExitCode } from './exit.ts';
import { option, type Invocation, type Values, type Verb } from './verb.ts';

/** A document that cannot prove itself is taken back after 60 s: long enough to see it. */
const WAIT_DEFAULT_S = '90';
const POLL_MS = 200;

const file = { type: 'string', short: 'f' } as const;

export const DOCUMENT_VERBS: readonly Verb[] = [
  {
    name: 'apply',
    usage: '-f FILE [--wait [SECONDS]]',
    summary: 'send a new desired document (JSON or YAML, - is stdin)',
    arity: [0, 0],
    options: { file, wait: { type: 'string' } },
    defaults: { wait: WAIT_DEFAULT_S },
    run: apply,
  },
  {
    name: 'validate',
    usage: '-f FILE',
    summary: 'check a document and change nothing',
    arity: [0, 0],
    options: { file },
    run: async ({ client, output, json, values }) => {
      const answer = await client.post('/v1/validate', await readDocument(values));
      if (json) output.json(answer);
      else output.line('the document is valid');
      return EXIT.ok;
    },
  },
];

async function apply({ client, output, json, values }: Invocation): Promise<ExitCode> {
  const seconds = waitSeconds(values);
  const answer = await client.post<{ readonly version: number }>('/v1/desired', await readDocument(values));
  const config = seconds === undefined ? undefined : await applied(client, answer.version, seconds);
  if (json) output.json(config ? { ...answer, config } : answer);
  else output.line(outcome(answer.version, config));
  return EXIT.ok;
}

function outcome(version: number, config: ConfigStatus | undefined): string {
  if (config === undefined) return `version ${version} accepted`;
  if (config.state !== 'confirming') return `version ${version} applied`;
  const left = config.candidate?.seconds_left ?? 0;
  return `version ${version} stands and is taken back in ${left} s, unless you say: linkspan confirm ${version}`;
}

function waitSeconds(values: Values): number | undefined {
  const wait = option(values, 'wait');
  if (wait !== undefined && !/^\d{1,5}$/.test(wait))
    throw usageError(`apply: --wait ${wait} is not a number of seconds`);
  return wait === undefined ? undefined : Number(wait);
}

async function applied(client: Client, version: number, seconds: number): Promise<ConfigStatus> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const { config } = await client.get<GatewayStatus>('/v1/status');
    if (config.state === 'confirming' && config.candidate?.version === version) return config;
    if (config.state === 'applied' && (config.applied_version ?? 0) >= version) return config;
    if (config.state === 'rejected' || config.state === 'rolled_back') {
      throw new CliError(EXIT.failed, `version ${version} was ${config.state}${causes(config)}`, { config });
    }
    if (performance.now() >= end) {
      const late = `version ${version} is not applied after ${seconds} s: it is ${config.state}${trial(config)}${causes(config)}`;
      throw new CliError(EXIT.failed, `${late}; linkspan status says what it waits for`, { config });
    }
    await sleep(POLL_MS);
  }
}

function trial({ candidate }: ConfigStatus): string {
  return candidate === null ? '' : `, ${trialWords(candidate)}`;
}

function causes(config: ConfigStatus): string {
  return config.errors.map((error) => `\n${error.path || '/'}: ${error.message}`).join('');
}

/** The document as JSON text. JSON goes out byte for byte, so that the service's own message fits the file's. */
export async function readDocument(values: Values): Promise<string> {
  const name = option(values, 'file');
  if (name === undefined) throw usageError('give the document with -f FILE (- is stdin)');
  const source = await readSource(name);
  if (source.trimStart().startsWith('{') || name.endsWith('.json')) return source;
  // Loaded only where it is wanted: most commands read none.
  const { yamlToJson } = await import('./yaml.ts');
  try {
    return yamlToJson(source);
  } catch (error) {
    throw new CliError(EXIT.refused, `${name}: not YAML: ${messageOf(error)}`);
  }
}

async function readSource(name: string): Promise<string> {
  try {
    return name === '-' ? await text(process.stdin) : await readFile(name, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.failed, `${name}: ${messageOf(error)}; name a readable JSON or YAML file`);
  }
}
