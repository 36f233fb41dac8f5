#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { sdNotify, startWatchdog } from '../host/sd-notify.ts';
import { cleanUp } from '../reconcile/cleanup.ts';
import { type Bootstrap, describeBootstrap, loadBootstrap } from '../service/bootstrap.ts';
import { LinkspanError, messageOf } from '../service/errors.ts';
import { createLog } from '../service/log.ts';
import { openStore } from '../store/store.ts';
import manifest from '../../package.json' with { type: 'json' };
import { Gateway } from './gateway.ts';

const EXIT = { ok: 0, failure: 1, usage: 2, badConfiguration: 78 } as const;

const USAGE = `Usage: linkspand --config FILE [--check | --cleanup] [--KEY VALUE]...

Runs the gateway's control service.
  --config FILE   the bootstrap file, YAML or JSON
  --check         validate the configuration, touch nothing
  --cleanup       remove every link, rule and route of Linkspan's; stop the service first
  --version       print the version
  --help          print this

Each key of the bootstrap file is also a flag and an environment variable; flags come first, then the environment,
then the file:
`;

type Arguments = { readonly mode: 'run' | 'check' | 'cleanup'; readonly bootstrap: Bootstrap };

const OPTIONS = {
  config: { type: 'string' },
  check: { type: 'boolean' },
  cleanup: { type: 'boolean' },
  version: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

function usage(message: string): never {
  process.stderr.write(`linkspand: ${message}\nTry 'linkspand --help'.\n`);
  process.exit(EXIT.usage);
}

function readArguments(argv: readonly string[]): Arguments {
  const { values, flags } = split(argv);
  if (values['help'] === true) {
    process.stdout.write(`${USAGE}${describeBootstrap()}\n`);
    process.exit(EXIT.ok);
  }
  if (values['version'] === true) {
    process.stdout.write(`linkspand ${manifest.version}\n`);
    process.exit(EXIT.ok);
  }
  if (values['check'] === true && values['cleanup'] === true) usage('--check and --cleanup exclude each other');
  const file = typeof values['config'] === 'string' ? { file: values['config'] } : {};
  const bootstrap = loadBootstrap({ ...file, env: process.env, flags });
  if (values['check'] === true) return { mode: 'check', bootstrap };
  return { mode: values['cleanup'] === true ? 'cleanup' : 'run', bootstrap };
}

/** Our own options, and the keys of the bootstrap file given as `--key value` or `--key=value`. */
function split(argv: readonly string[]): { values: Record<string, unknown>; flags: Record<string, string> } {
  const { values, tokens } = parseArgs({ args: [...argv], options: OPTIONS, strict: false, tokens: true });
  const flags: Record<string, string> = {};
  let skip = -1;
  for (const token of tokens) {
    if (token.index === skip) continue;
    if (token.kind === 'positional') usage(`unexpected argument ${token.value}`);
    if (token.kind !== 'option' || token.name in OPTIONS) continue;
    if (!token.name.includes('.') && !['gateway', 'fleet'].includes(token.name))
      usage(`unknown option --${token.name}`);
    const value = token.inlineValue === true ? token.value : argv[token.index + 1];
    if (value === undefined) usage(`--${token.name} needs a value`);
    if (token.inlineValue !== true) skip = token.index + 1;
    flags[token.name] = value;
  }
  return { values, flags };
}

async function cleanup(bootstrap: Bootstrap): Promise<number> {
  const store = openStore(bootstrap.state.path, createLog(bootstrap.log));
  const rows = store.endpoints.list();
  const { removed, failed } = await cleanUp(
    bootstrap.gateway,
    rows.map((row) => row.sandbox),
    store.endpoints,
  );
  store.close();
  for (const what of removed) process.stdout.write(`${what}\n`);
  for (const what of failed) process.stderr.write(`not removed: ${what}\n`);
  return failed.length === 0 ? EXIT.ok : EXIT.failure;
}

async function serve(bootstrap: Bootstrap): Promise<void> {
  const log = createLog(bootstrap.log);
  const gateway = new Gateway(bootstrap, log, manifest.version);
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    sdNotify('STOPPING=1');
    await gateway.stop();
    process.exit(EXIT.ok);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  await gateway.start();
  startWatchdog(() => gateway.turning);
  sdNotify('READY=1');
  log.info(`gateway ${bootstrap.gateway} of fleet ${bootstrap.fleet} is up`, { status: bootstrap.status.listen });
}

function fail(error: unknown): never {
  const bad = error instanceof LinkspanError && error.code === 'bad_configuration';
  process.stderr.write(`linkspand: ${messageOf(error)}\n`);
  process.exit(bad ? EXIT.badConfiguration : EXIT.failure);
}

try {
  const { mode, bootstrap } = readArguments(process.argv.slice(2));
  if (mode === 'check') process.stdout.write(`configuration of gateway ${bootstrap.gateway} is valid\n`);
  else if (mode === 'cleanup') process.exitCode = await cleanup(bootstrap);
  else await serve(bootstrap);
} catch (error) {
  fail(error);
}
