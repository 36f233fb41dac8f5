import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GatewayStatus } from '../../src/model/status.ts';
import type { RunResult } from './exec.ts';
import { SERVICE_FLAGS } from './flags.ts';
import type { Lab } from './lab.ts';
import type { Place } from './namespace.ts';
import type { HttpAnswer } from './over-socket.ts';
import type { LabProcess } from './process.ts';
import { until } from './wait.ts';

const PROGRAMS = fileURLToPath(new URL('../../dist/bin/', import.meta.url));
/** In the VM, on a machine with other things to do, everything takes some twenty times as long. */
const START_MS = 60_000;

type Section = Record<string, unknown>;

export type GatewayOptions = {
  /** a network namespace, or a Docker node, where it sees that dockerd's sandboxes */
  readonly namespace: Place;
  /** the bootstrap file's keys; paths that are not given lie in `dir`, and Docker is off */
  readonly config: Record<string, unknown>;
  /** kept between a stop and the next start to keep the state; default: a new folder */
  readonly dir?: string;
};

export type Gateway = {
  readonly pid: number;
  readonly socket: string;
  readonly dir: string;
  readonly process: LabProcess;
  readonly status: () => Promise<GatewayStatus>;
  /** GET of any path over the control socket */
  readonly get: (path: string) => Promise<HttpAnswer>;
  /** the CLI, against this gateway; a failure is in the result's `code` */
  readonly cli: (...args: readonly string[]) => Promise<RunResult>;
  /** writes a file into `dir`, and returns its path */
  readonly write: (name: string, text: string) => Promise<string>;
  /** SIGTERM and the way down in order */
  readonly stop: () => Promise<void>;
  readonly kill9: () => Promise<void>;
  readonly log: () => string;
};

function completed(config: Record<string, unknown>, dir: string): Record<string, unknown> {
  const section = (name: string, ours: Section): Section => ({ ...ours, ...(config[name] as Section | undefined) });
  return {
    ...config,
    state: section('state', { path: join(dir, 'linkspan.db') }),
    control: section('control', { socket: join(dir, 'linkspan.sock') }),
    datapath: section('datapath', { socket: join(dir, 'datapath.sock') }),
    docker: section('docker', { pluginSocket: '', engineSocket: '' }),
  };
}

async function answering({ machine }: Lab, socket: string, process: LabProcess): Promise<void> {
  const answered = until(
    `the control socket ${socket} to answer`,
    async () => !process.running || (await machine.get(socket, '/v1/status')).code === 200,
    START_MS,
  );
  await answered.catch((error: Error) => Promise.reject(new Error(`${error.message}\n${process.log()}`)));
  if (!process.running) throw new Error(`linkspand ended at start, ${await process.exited}\n${process.log()}`);
}

/**
 * Starts the built linkspand inside the namespace with the Node that runs this, and waits until its control socket
 * answers. It is ended at the lab's close.
 */
export async function startGateway(lab: Lab, options: GatewayOptions): Promise<Gateway> {
  const dir = options.dir ?? (await lab.folder());
  const config = completed(options.config, dir);
  const file = join(dir, 'linkspand.json');
  await lab.write(file, JSON.stringify(config, undefined, 2));
  const program = [process.execPath, ...SERVICE_FLAGS, join(PROGRAMS, 'linkspand.js'), '--config', file];
  const service = await lab.process(options.namespace, program);
  const { socket } = config['control'] as { socket: string };
  await answering(lab, socket, service);
  const cli = [process.execPath, join(PROGRAMS, 'linkspan.js'), '--socket', socket];
  return {
    pid: service.pid,
    socket,
    dir,
    process: service,
    status: async () => JSON.parse((await lab.machine.get(socket, '/v1/status')).body) as GatewayStatus,
    get: (path) => lab.machine.get(socket, path),
    cli: (...args) => lab.run(options.namespace.inside([...cli, ...args]), { allowFailure: true }),
    write: async (name, text) => {
      await lab.write(join(dir, name), text);
      return join(dir, name);
    },
    stop: () => service.stop(),
    kill9: () => service.kill9(),
    log: () => service.log(),
  };
}
