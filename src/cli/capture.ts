import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { CliError, EXIT, usageError, type ExitCode } from './exit.ts';
import { option, type Invocation, type Verb } from './verb.ts';

export const CAPTURE_VERBS: readonly Verb[] = [
  {
    name: 'capture',
    usage: 'NETWORK [-w FILE] [--outer] [--filter WORDS] [--seconds N]',
    summary: 'frames as pcapng, to a file or a pipe; ctrl-C ends',
    arity: [1, 1],
    options: {
      write: { type: 'string', short: 'w' },
      outer: { type: 'boolean' },
      filter: { type: 'string' },
      seconds: { type: 'string' },
    },
    run: capture,
  },
];

async function capture({ client, positionals, values }: Invocation): Promise<ExitCode> {
  const file = option(values, 'write');
  if (file === undefined && process.stdout.isTTY) throw usageError('capture: give -w FILE, or pipe it into a program');
  const query = new URLSearchParams({ network: positionals[0] ?? '' });
  if (values['outer'] === true) query.set('outer', '1');
  query.set('filter', option(values, 'filter') ?? '');
  const end = new AbortController();
  process.once('SIGINT', () => end.abort());
  const seconds = option(values, 'seconds');
  if (seconds !== undefined) setTimeout(() => end.abort(), 1000 * positive(seconds)).unref();
  const frames = await client.stream(`/v1/capture?${query.toString()}`);
  try {
    await pipeline(frames, file === undefined ? process.stdout : createWriteStream(file), { signal: end.signal });
  } catch (error) {
    // Whoever reads the pipe may have seen enough.
    if (!end.signal.aborted && (error as NodeJS.ErrnoException).code !== 'EPIPE') throw unwritable(file, error);
  }
  return EXIT.ok;
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw usageError(`capture: --seconds ${text}: give a whole number`);
  return Number(text);
}

function unwritable(file: string | undefined, error: unknown): CliError {
  const reason = error instanceof Error ? error.message : String(error);
  return new CliError(EXIT.failed, `${file ?? 'standard output'}: ${reason}`);
}
