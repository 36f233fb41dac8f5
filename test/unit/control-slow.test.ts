import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer } from 'node:net';
import { connectAsync } from 'mqtt';
import { generate, type Packet, parser } from 'mqtt-packet';
import { MqttSession } from '../../src/control/session/session.ts';
import { parseMac } from '../../src/model/mac.ts';
import type { LocalState } from '../../src/peers/publisher.ts';
import { SlowLink } from './support/slow-link.ts';
import { cleanups, freePort, gateway, LINE1, local, mosquitto, until } from './support/sessions.ts';

/** 20 kbit/s */
const RATE = 2500;

async function broker(): Promise<number> {
  const port = await freePort();
  const running = await mosquitto(port);
  cleanups.push(() => running.close());
  return port;
}

function workFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Milliseconds by which a timer came late. */
async function latenessOfTimer(): Promise<number> {
  const began = performance.now();
  await sleep(1);
  return performance.now() - began - 1;
}

type Busy = {
  readonly session: MqttSession;
  readonly got: ReadonlySet<string>;
  readonly events: readonly string[];
  readonly wills: readonly string[];
};

const hex = (n: number): string => n.toString(16).padStart(2, '0');

/** A hundred workloads, others at each turn. */
function tableOf(turn: number): LocalState {
  const macs = Array.from({ length: 100 }, (_, n) => parseMac(`02:00:00:00:${hex(turn)}:${hex(n)}`));
  const entries = macs.flatMap((m) => (m ? [{ m, ip: [], q: 0, s: 1 as const }] : []));
  const networks = [{ vni: LINE1, mtu: 1450, bum: 'replicate', macs: entries }];
  return { vteps: [{ ip: '198.51.100.1', port: 4789 }], networks };
}

test('an answer that takes many times the keepalive comes over one connection', async () => {
  const port = await broker();
  const link = await SlowLink.to(port, RATE);
  const other = await connectAsync(`mqtt://127.0.0.1:${port}`);
  cleanups.push(() => other.endAsync(true));
  const count = 25;
  for (let n = 0; n < count; n += 1)
    await other.publishAsync(`kept/${n}`, Buffer.alloc(1000, 'x'), { qos: 1, retain: true });
  const got = new Set<string>();
  const events: string[] = [];
  const session = new MqttSession({
    url: `mqtt://127.0.0.1:${link.port}`,
    backoffMs: [50, 200],
    // the answer takes ten seconds, and a connection is given up after three without one to the ping
    keepaliveS: 2,
    clientId: 'a',
    will: () => ({ topic: 'will', payload: Buffer.from('gone') }),
    onMessage: (topic) => void got.add(topic),
    onConnect: () => undefined,
    onEvent: (type) => void events.push(type),
  });
  cleanups.push(() => session.stop());
  session.setSubscriptions(new Map([['kept/+', 0]]));
  session.start();
  await until('all of it', () => got.size === count, 40_000);
  expect({ connections: link.connections, events }).toEqual({ connections: 1, events: [] });
}, 60_000);

/** A broker that retains so much, and the wills that fire. */
async function fullBroker(count: number): Promise<{ readonly port: number; readonly wills: readonly string[] }> {
  const port = await broker();
  const other = await connectAsync(`mqtt://127.0.0.1:${port}`);
  cleanups.push(() => other.endAsync(true));
  for (let n = 0; n < count; n += 1) await other.publishAsync(`kept/${n}`, 'x', { qos: 1, retain: true });
  const wills: string[] = [];
  other.on('message', (topic) => void wills.push(topic));
  await other.subscribeAsync('will');
  return { port, wills };
}

/** A session that takes 10 ms over each message. */
async function busySession(count: number, keepaliveS: number): Promise<Busy> {
  const full = await fullBroker(count);
  return { ...full, ...busyOn(full.port, keepaliveS) };
}

function busyOn(port: number, keepaliveS: number, clientId = 'a'): Omit<Busy, 'wills'> {
  const [got, events] = [new Set<string>(), [] as string[]];
  const session = new MqttSession({
    url: `mqtt://127.0.0.1:${port}`,
    backoffMs: [50, 200],
    keepaliveS,
    clientId,
    will: () => ({ topic: 'will', payload: Buffer.from('gone') }),
    onMessage: (topic) => void (workFor(10), got.add(topic)),
    onConnect: () => undefined,
    onEvent: (type) => void events.push(type),
  });
  cleanups.push(() => session.stop());
  session.setSubscriptions(new Map([['kept/+', 0]]));
  session.start();
  return { session, got, events };
}

test('a gateway that takes long over all that a broker retains keeps its timers and its connection', async () => {
  const count = 300;
  // three seconds of work, and the broker gives up after one and a half without a word
  const { got, events, wills } = await busySession(count, 1);
  let late = 0;
  while (got.size < count) late = Math.max(late, await latenessOfTimer());
  await sleep(500);
  expect({ events, wills }).toEqual({ events: [], wills: [] });
  expect(late).toBeLessThan(300);
}, 30_000);

test('many of one process that wait long for their turns keep their connections', async () => {
  const [count, sessions] = [12, 60];
  const { port, wills } = await fullBroker(count);
  // a round of all takes near two seconds, and after one and a quarter without a word the broker counts as gone
  const all = Array.from({ length: sessions }, (_, n) => busyOn(port, 1, `busy-${n}`));
  await until('all to have all', () => all.every(({ got }) => got.size === count), 40_000);
  expect({ events: all.flatMap(({ events }) => events), wills }).toEqual({ events: [], wills: [] });
}, 60_000);

test('a gateway that is stopped amid all that a broker retains takes no more of it, and leaves no will behind', async () => {
  const { session, got, wills } = await busySession(600, 15);
  await until('the first', () => got.size > 20);
  await session.stop();
  const atEnd = got.size;
  await sleep(500);
  expect({ later: got.size - atEnd, wills }).toEqual({ later: 0, wills: [] });
  expect(atEnd).toBeLessThan(300);
}, 30_000);

test('a broker that says nothing any more is given up, however much it said before', async () => {
  const port = await broker();
  const link = await SlowLink.to(port, RATE);
  const session = new MqttSession({
    url: `mqtt://127.0.0.1:${link.port}`,
    backoffMs: [50, 200],
    keepaliveS: 1,
    clientId: 'a',
    will: () => ({ topic: 'will', payload: Buffer.from('gone') }),
    onMessage: () => undefined,
    onConnect: () => undefined,
    onEvent: () => undefined,
  });
  cleanups.push(() => session.stop());
  session.start();
  await until('a connection', () => session.connected);
  await sleep(2500);
  expect(link.connections).toBe(1);
  link.hold();
  await until('another', () => link.connections > 1);
}, 30_000);

/** A broker with nothing to say that answers no SUBSCRIBE, but pings; `onAsked` is told of each. Returns its port. */
async function forgetfulBroker(onAsked: () => void): Promise<number> {
  const port = await freePort();
  const server = createServer((socket) => {
    const reading = parser({ protocolVersion: 5 });
    const answer = (packet: Packet): void => void socket.write(generate(packet, { protocolVersion: 5 }));
    reading.on('packet', ({ cmd }) => {
      if (cmd === 'connect') answer({ cmd: 'connack', reasonCode: 0, sessionPresent: false });
      if (cmd === 'pingreq') answer({ cmd: 'pingresp' });
      if (cmd === 'subscribe') onAsked();
    });
    socket.on('error', () => undefined).on('data', (data: Buffer) => reading.parse(data));
  });
  await new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve));
  cleanups.push(() => new Promise((resolve) => void server.close(resolve)));
  return port;
}

test('a lost answer to a subscription is waited for no longer because pings are answered', async () => {
  let asked = 0;
  const port = await forgetfulBroker(() => (asked += 1));
  const session = new MqttSession({
    url: `mqtt://127.0.0.1:${port}`,
    backoffMs: [50, 200],
    keepaliveS: 1,
    clientId: 'a',
    will: () => ({ topic: 'will', payload: Buffer.from('gone') }),
    onMessage: () => undefined,
    onConnect: () => undefined,
    onEvent: () => undefined,
  });
  cleanups.push(() => session.stop());
  session.setSubscriptions(new Map([['t', 0]]));
  session.start();
  await until('it to be asked again', () => asked > 1, 20_000);
}, 30_000);

test('a table that changes faster than the link carries it is known to the others as it is at the end', async () => {
  const port = await broker();
  const link = await SlowLink.to(port, RATE);
  const a = gateway('gw-a', link.port);
  const b = gateway('gw-b', port);
  b.session.setLocal(local(2, LINE1));
  a.session.setLocal(tableOf(0));
  const seen = (): string | undefined => b.directory.remotes(LINE1)[0]?.macs[0]?.m;
  await until('the first table', () => seen() !== undefined, 30_000);
  let turn = 0;
  for (const end = performance.now() + 6000; performance.now() < end; await sleep(50)) {
    turn = (turn % 200) + 1;
    a.session.setLocal(tableOf(turn));
  }
  const since = performance.now();
  const last = tableOf(turn).networks[0]?.macs[0]?.m;
  await until('the last table', () => seen() === last, 25_000);
  process.stdout.write(
    `slow link: the last table known after ${Math.round(performance.now() - since)} ms, ${link.up} bytes up\n`,
  );
  expect(link.connections).toBe(1);
  expect(b.directory.remotes(LINE1)[0]?.macs).toHaveLength(100);
}, 90_000);
