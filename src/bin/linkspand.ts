#!/usr/bin/env node
import { sdNotify, startWatchdog } from '../host/sd-notify.ts';
import { cleanUp } from '../reconcile/cleanup.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import { createLog } from '../service/log.ts';
import { openStore } from '../store/store.ts';
import { EXIT, fail, type Program, readArguments, version } from './arguments.ts';
import { Gateway } from './gateway.ts';

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

const PROGRAM: Program<'check' | 'cleanup'> = { name: 'linkspand', usage: USAGE, modes: ['check', 'cleanup'] };

async function cleanup(bootstrap: Bootstrap): Promise<number> {
  const store = openStore(bootstrap.state.path, createLog(bootstrap.log));
  const rows = store.endpoints.list();
  const { removed, failed } = await cleanUp(
    bootstrap.gateway,
    rows.map((row) => row.sandbox),
    store.endpoints,
    bootstrap.datapath.socket,
  );
  store.close();
  for (const what of removed) process.stdout.write(`${what}\n`);
  for (const what of failed) process.stderr.write(`not removed: ${what}\n`);
  return failed.length === 0 ? EXIT.ok : EXIT.failure;
}

async function serve(bootstrap: Bootstrap): Promise<void> {
  const log = createLog(bootstrap.log);
  const gateway = new Gateway(bootstrap, log, version);
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

try {
  const { mode, bootstrap } = readArguments(PROGRAM, process.argv.slice(2));
  if (mode === 'check') process.stdout.write(`configuration of gateway ${bootstrap.gateway} is valid\n`);
  else if (mode === 'cleanup') process.exitCode = await cleanup(bootstrap);
  else await serve(bootstrap);
} catch (error) {
  fail(PROGRAM.name, error);
}
