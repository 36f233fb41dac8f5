import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DatapathNetwork, DatapathState } from '../../src/datapath/state.ts';
import { ask, readDatapath, setDatapath } from '../../src/host/datapath-client.ts';
import type { DatapathAnswer } from '../../src/host/datapath-server.ts';
import type { DatapathStatus } from '../../src/datapath/status.ts';
import type { Mac } from '../../src/model/mac.ts';
import type { Vni } from '../../src/model/vni.ts';
import { DATAPATH_FLAGS } from './flags.ts';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import type { LabProcess } from './process.ts';
import { until } from './wait.ts';

/** Refuses io_uring to the program in its arguments. */
const FORBID = fileURLToPath(new URL('forbid-io-uring.ts', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../dist/bin/linkspan-datapath.js', import.meta.url));

export type Datapath = {
  readonly process: LabProcess;
  readonly socket: string;
  readonly dir: string;
  readonly set: (state: DatapathState) => Promise<void>;
  /** tells it anything at all as its state */
  readonly tell: (state: unknown) => Promise<DatapathAnswer>;
  readonly status: () => Promise<DatapathStatus>;
};

/** Starts the built linkspan-datapath inside the namespace, and waits until its socket answers. */
export async function startDatapath(
  lab: Lab,
  namespace: Namespace,
  options: { readonly workers?: 'one' | 'two'; readonly dir?: string; readonly ioUring?: boolean } = {},
): Promise<Datapath> {
  const dir = options.dir ?? (await lab.folder());
  const socket = join(dir, 'datapath.sock');
  const file = join(dir, 'datapath.json');
  await writeFile(file, JSON.stringify({ datapath: { socket, workers: options.workers ?? 'auto' } }));
  const argv = [process.execPath, ...DATAPATH_FLAGS, PROGRAM, '--config', file];
  const forbid = options.ioUring === false ? [process.execPath, FORBID] : [];
  const process_ = await lab.process(namespace, [...forbid, ...argv]);
  const answered = async (): Promise<boolean> => (await readDatapath(socket)) !== undefined;
  await until(`the datapath at ${socket} to answer`, async () => !process_.running || (await answered()));
  if (!process_.running) throw new Error(`linkspan-datapath ended at start\n${process_.log()}`);
  return {
    process: process_,
    socket,
    dir,
    tell: (state) => ask(socket, { ask: 'set', state }),
    set: (state) => setDatapath(socket, state),
    status: async () => {
      const status = await readDatapath(socket);
      if (status === undefined) throw new Error(`the datapath at ${socket} does not answer\n${process_.log()}`);
      return status;
    },
  };
}

/** A TAP as linkspand makes it: there before the datapath, up. */
export async function addTap(namespace: Namespace, name: string, mtu: number): Promise<void> {
  await namespace.ip('tuntap', 'add', name, 'mode', 'tap', 'vnet_hdr');
  await namespace.ip('link', 'set', name, 'mtu', String(mtu), 'up');
}

/** A workload on a device of its gateway: a macvlan child, as linkspand attaches it. */
export async function addChild(
  gateway: Namespace,
  device: string,
  workload: Namespace,
  child: { readonly mac: string; readonly addresses: readonly string[]; readonly mtu: number },
): Promise<void> {
  await gateway.batch([
    `link add child link ${device} address ${child.mac} mtu ${child.mtu} type macvlan mode bridge`,
    'link set child gso_max_size 61000',
    `link set child netns ${workload.name} name eth0`,
  ]);
  await workload.batch([
    ...child.addresses.map((address) => `address add ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`),
    'link set eth0 up',
  ]);
}

/** A network of one peer whose MACs are known. */
export function oneNetwork(
  vni: number,
  tap: string,
  peer: { readonly ip: string; readonly port: number; readonly macs: readonly string[]; readonly learned?: boolean },
  over: Partial<DatapathNetwork> = {},
): DatapathNetwork {
  const { ip, port, macs, learned = false } = peer;
  const peers = [{ vtep: { ip, port }, macs: macs as readonly Mac[], learned }];
  return { vni: vni as Vni, tap, mtu: 1450, tagged: false, bumPps: null, group: null, peers, ...over };
}
