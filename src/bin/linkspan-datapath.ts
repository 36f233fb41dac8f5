#!/usr/bin/env node
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { parseState } from '../datapath/parse-state.ts';
import type { DatapathState } from '../datapath/state.ts';
import { type DatapathQuestion, serveDatapath } from '../host/datapath-server.ts';
import { sdNotify } from '../host/sd-notify.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import { messageOf } from '../service/errors.ts';
import { createLog, type Log } from '../service/log.ts';
import { EXIT, fail, readArguments, version } from './arguments.ts';
import { Datapath } from './datapath.ts';
import type { Modules } from './datapath-threads.ts';

const USAGE = `Usage: linkspan-datapath --config FILE [--KEY VALUE]...

Carries the frames of the networks whose engine is "user", as linkspand tells it, and goes on without it.
  --config FILE   the bootstrap file, YAML or JSON: the same as linkspand's
  --version       print the version
  --help          print this

Of the keys of the bootstrap file it uses datapath.socket, datapath.workers and log:
`;

const NAME = 'linkspan-datapath';

/** Compiled by `npm run build`; the same files whether this runs from source or from the bundle. */
function loadModules(): Modules {
  const folder = extname(import.meta.filename) === '.ts' ? '../../dist/wasm/' : '../wasm/';
  const load = (name: string): WebAssembly.Module =>
    new WebAssembly.Module(readFileSync(new URL(`${folder}${name}.wasm`, import.meta.url)));
  return { segment: load('segment'), coalesce: load('coalesce') };
}

function answerer(
  datapath: Datapath,
  remember: (state: DatapathState) => void,
): (question: DatapathQuestion) => Promise<unknown> {
  return async (question: DatapathQuestion): Promise<unknown> => {
    if (question.ask === 'status') return { ...datapath.status(), version, uptime_s: Math.floor(process.uptime()) };
    const state = parseState(question.state);
    await datapath.set(state);
    remember(state);
    return null;
  };
}

/** Kept beside the socket, in memory, where to write is no waiting: a datapath that was restarted goes on by itself, a gateway that was does not. */
const memoryOf = (bootstrap: Bootstrap): string => `${bootstrap.datapath.socket}.state`;

async function recall(datapath: Datapath, file: string, log: Log): Promise<void> {
  try {
    await datapath.set(parseState(JSON.parse(readFileSync(file, 'utf8'))));
    log.info(`going on by the last state, from ${file}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn(`${file}: ${messageOf(error)}; waiting to be told`);
  }
}

async function serve(bootstrap: Bootstrap): Promise<void> {
  const log = createLog(bootstrap.log);
  const { socket, workers } = bootstrap.datapath;
  const datapath = new Datapath({
    workerFile: new URL(`./datapath-worker${extname(import.meta.filename)}`, import.meta.url),
    modules: loadModules(),
    workers: workers === 'auto' ? (availableParallelism() > 2 ? 'two' : 'one') : workers,
    log,
  });
  const file = memoryOf(bootstrap);
  await recall(datapath, file, log);
  const listener = await serveDatapath(
    socket,
    answerer(datapath, (state) => {
      writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 });
      renameSync(`${file}.new`, file);
    }),
  );
  const stop = async (): Promise<void> => {
    sdNotify('STOPPING=1');
    await listener.close();
    await datapath.stop();
    process.exit(EXIT.ok);
  };
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());
  sdNotify('READY=1');
  log.info(`datapath listens on ${socket}`);
}

try {
  await serve(readArguments({ name: NAME, usage: USAGE, modes: [] }, process.argv.slice(2)).bootstrap);
} catch (error) {
  fail(NAME, error);
}
