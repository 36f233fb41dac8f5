import { afterAll, afterEach } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBroker } from '../../../src/control/broker.ts';
import { GatewaySession } from '../../../src/control/session/gateway-session.ts';
import type { BrokerAccess } from '../../../src/control/session/session.ts';
import { parseMac } from '../../../src/model/mac.ts';
import type { Vni } from '../../../src/model/vni.ts';
import { PeerDirectory } from '../../../src/peers/directory.ts';
import { Publisher, type LocalState } from '../../../src/peers/publisher.ts';
import { systemClock } from '../../../src/service/clock.ts';
import { MemoryStore } from './peer-store.ts';
import { openGate } from './trust.ts';
import { vni } from './values.ts';

export const LINE1 = vni(10110);
export const SRC = join(import.meta.dirname, '../../../src');
export const DIR = mkdtempSync(join(tmpdir(), 'linkspan-control-'));
export const children = new Set<ChildProcess>();
export const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  for (const child of children) await kill(child);
  rmSync(DIR, { recursive: true });
});

export async function kill(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

export async function until(what: string, holds: () => boolean, ms = 10_000): Promise<void> {
  for (const end = performance.now() + ms; !holds(); await sleep(10)) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

export type Running = { close(): Promise<void> };

export async function mosquitto(port: number, extra = 'allow_anonymous true'): Promise<Running> {
  const config = join(DIR, `${port}.conf`);
  writeFileSync(config, `listener ${port} 127.0.0.1\npersistence false\n${extra}\n`);
  const child = spawn('/usr/sbin/mosquitto', ['-c', config], { stdio: 'ignore' });
  children.add(child);
  while (!(await answers(port))) await sleep(20);
  return { close: () => kill(child) };
}

export const embedded = (port: number): Promise<Running> => startBroker(`127.0.0.1:${port}`);

export type Gateway = {
  session: GatewaySession;
  directory: PeerDirectory;
  events: string[];
  desired: string[];
  behind: number[];
};

export function gateway(name: string, port: number, epoch = 5, access: Partial<BrokerAccess> = {}): Gateway {
  const events: string[] = [];
  const desired: string[] = [];
  const behind: number[] = [];
  const onEvent = (type: string): void => void events.push(type);
  const common = { fleet: 'plant', gateway: name, clock: systemClock };
  const directory = new PeerDirectory({ ...common, store: new MemoryStore(), onEvent });
  const session = new GatewaySession({
    ...common,
    directory,
    trust: openGate(),
    onEvent,
    publisher: new Publisher({ ...common, epoch }),
    mqtt: { url: `mqtt://127.0.0.1:${port}`, backoffMs: [50, 200], ...access },
    clockIsRight: () => false,
    onRequest: async (id, payload) => Buffer.from(`${id} ${payload.toString()}`),
    onDesired: (payload) => void desired.push(payload.toString()),
    onEpochBehind: (value) => void behind.push(value),
  });
  cleanups.push(() => session.stop());
  session.start();
  return { session, directory, events, desired, behind };
}

export function local(n: number, ...vnis: Vni[]): LocalState {
  const m = parseMac(`02:00:00:00:00:0${n}`);
  const macs = m ? [{ m, ip: [`10.110.0.${n}`], q: 0, s: 1 as const }] : [];
  return {
    vteps: [{ ip: `198.51.100.${n}`, port: 4789 }],
    networks: vnis.map((id) => ({ vni: id, mtu: 1450, bum: 'replicate', macs })),
  };
}
