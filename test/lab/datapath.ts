import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DatapathNetwork, DatapathState } from '../../src/datapath/state.ts';
import type { DatapathStatus } from '../../src/datapath/status.ts';
import type { Mac } from '../../src/model/mac.ts';
import type { Vni } from '../../src/model/vni.ts';
import { DATAPATH_FLAGS } from './flags.ts';
import { getOverSocket } from './gateway.ts';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import type { LabProcess } from './process.ts';
import { until } from './wait.ts';

const PROGRAM = fileURLToPath(new URL('../../dist/bin/linkspan-datapath.js', import.meta.url));

export type Datapath = {
  readonly process: LabProcess;
  readonly socket: string;
  readonly dir: string;
  readonly set: (state: DatapathState) => Promise<void>;
  /** POST of any text; the answer's code and body */
  readonly post: (text: string) => Promise<{ readonly code: number; readonly body: string }>;
  readonly status: () => Promise<DatapathStatus>;
};

/** Starts the built linkspan-datapath inside the namespace, and waits until its socket answers. */
export async function startDatapath(
  lab: Lab,
  namespace: Namespace,
  options: { readonly workers?: 'one' | 'two'; readonly dir?: string } = {},
): Promise<Datapath> {
  const dir = options.dir ?? (await lab.folder());
  const socket = join(dir, 'datapath.sock');
  const file = join(dir, 'datapath.json');
  await writeFile(file, JSON.stringify({ datapath: { socket, workers: options.workers ?? 'auto' } }));
  const process_ = await lab.process(namespace, [process.execPath, ...DATAPATH_FLAGS, PROGRAM, '--config', file]);
  const answered = async (): Promise<boolean> => (await getOverSocket(socket, '/v1/status')).code === 200;
  await until(`the datapath at ${socket} to answer`, async () => !process_.running || (await answered()));
  if (!process_.running) throw new Error(`linkspan-datapath ended at start\n${process_.log()}`);
  const post = (text: string): ReturnType<Datapath['post']> => postOverSocket(socket, '/v1/state', text);
  return {
    process: process_,
    socket,
    dir,
    post,
    set: async (state) => {
      const { code, body } = await post(JSON.stringify(state));
      if (code !== 200) throw new Error(`the datapath refuses the state: ${code} ${body}`);
    },
    status: async () => JSON.parse((await getOverSocket(socket, '/v1/status')).body) as DatapathStatus,
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

function postOverSocket(
  socketPath: string,
  path: string,
  body: string,
): Promise<{ readonly code: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method: 'POST', agent: false, timeout: 10_000 }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (text += chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, body: text }));
    });
    call.on('timeout', () => call.destroy(new Error(`${socketPath}: no answer to POST ${path} within 10 s`)));
    call.on('error', reject);
    call.end(body);
  });
}
