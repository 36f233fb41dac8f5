import { parseArgs } from 'node:util';
import { messageOf } from '../service/errors.ts';
import { Client } from './client.ts';
import { CAPTURE_VERBS } from './capture.ts';
import { COMMIT_VERBS } from './commit.ts';
import { DIFF_VERBS } from './diff.ts';
import { DOCUMENT_VERBS } from './document.ts';
import { EVENT_VERBS } from './events.ts';
import { FIRMWARE_VERBS } from './firmware.ts';
import { FLEET_VERBS } from './fleet.ts';
import { IMAGE_VERBS } from './image.ts';
import { KEY_VERBS } from './keys.ts';
import { CliError, EXIT, usageError, type ExitCode } from './exit.ts';
import { programHelp, verbHelp } from './help.ts';
import { NETWORK_VERBS } from './networks.ts';
import { processOutput, type Output } from './output.ts';
import { PEER_VERBS } from './peers.ts';
import { STATUS_VERBS } from './status.ts';
import { option, type Values, type Verb } from './verb.ts';
import { VERSION_VERBS } from './version.ts';
import { WORKLOAD_VERBS } from './workloads.ts';

const SOCKET = '/run/linkspan/linkspan.sock';
const GLOBAL_OPTIONS = {
  socket: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** The commands, in the order of the help. */
export const VERBS: readonly Verb[] = [
  ...STATUS_VERBS,
  ...DOCUMENT_VERBS,
  ...DIFF_VERBS,
  ...COMMIT_VERBS,
  ...NETWORK_VERBS,
  ...WORKLOAD_VERBS,
  ...PEER_VERBS,
  ...EVENT_VERBS,
  ...CAPTURE_VERBS,
  ...FIRMWARE_VERBS,
  ...KEY_VERBS,
  ...FLEET_VERBS,
  ...IMAGE_VERBS,
  ...VERSION_VERBS,
];

/** Runs one command line (without the program's name) and returns its exit code; prints everything itself. */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  const output = processOutput();
  try {
    return await dispatch(argv, output);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    if (argv.includes('--json') && error.document !== undefined) output.json(error.document);
    for (const line of error.message.split('\n')) output.error(line);
    if (error.exitCode === EXIT.usage) output.error('linkspan --help lists the commands');
    return error.exitCode;
  }
}

async function dispatch(argv: readonly string[], output: Output): Promise<ExitCode> {
  const { before, words } = splitGlobals(argv);
  const asksHelp = words[0] === 'help';
  const rest = asksHelp ? words.slice(1) : words;
  if (rest.length === 0 && (asksHelp || before.some((word) => word === '--help' || word === '-h'))) {
    output.painted(programHelp(VERBS));
    return EXIT.ok;
  }
  const verb = findVerb(rest);
  const { values, positionals } = parse(verb, [...before, ...rest.slice(verb.name.split(' ').length)]);
  if (asksHelp || values['help'] === true) {
    output.painted(verbHelp(verb));
    return EXIT.ok;
  }
  if (positionals.length < verb.arity[0] || positionals.length > verb.arity[1]) {
    throw usageError(`usage: linkspan ${verb.name} ${verb.usage}`.trimEnd());
  }
  const client = new Client(option(values, 'socket') ?? (process.env['LINKSPAN_SOCKET'] || SOCKET));
  return verb.run({ client, output, json: values['json'] === true, positionals, values });
}

/** Options may stand before the command, too: `linkspan --socket PATH status`. */
function splitGlobals(argv: readonly string[]): { before: readonly string[]; words: readonly string[] } {
  let at = 0;
  while (argv[at]?.startsWith('-')) at += argv[at] === '--socket' ? 2 : 1;
  return { before: argv.slice(0, at), words: argv.slice(at) };
}

function findVerb(words: readonly string[]): Verb {
  const [first = '', second = ''] = words;
  const verb = VERBS.find((one) => one.name === first || one.name === `${first} ${second}`);
  if (verb) return verb;
  if (first === '') throw usageError('give a command');
  const group = VERBS.filter((one) => one.name.startsWith(`${first} `)).map((one) => one.name);
  throw usageError(group.length > 0 ? `${first}: one of ${group.join(', ')}` : `${first}: no such command`);
}

function parse(verb: Verb, args: readonly string[]): { values: Values; positionals: readonly string[] } {
  try {
    return parseArgs({
      args: withDefaults(verb, args),
      options: { ...GLOBAL_OPTIONS, ...verb.options },
      allowPositionals: true,
    }) as { values: Values; positionals: readonly string[] };
  } catch (error) {
    throw usageError(`${verb.name}: ${messageOf(error)}`);
  }
}

// parseArgs knows no optional values: `--wait` and `--wait 5` both become `--wait=N`.
function withDefaults(verb: Verb, args: readonly string[]): string[] {
  const result: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] ?? '';
    const fallback = word.startsWith('--') ? verb.defaults?.[word.slice(2)] : undefined;
    const next = args[at + 1];
    if (fallback === undefined) result.push(word);
    else if (next === undefined || next.startsWith('-')) result.push(`${word}=${fallback}`);
    else {
      result.push(`${word}=${next}`);
      at += 1;
    }
  }
  return result;
}
