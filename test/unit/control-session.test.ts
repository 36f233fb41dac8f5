import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as mqttConnect } from 'mqtt';
import { startBroker } from '../../src/control/broker.ts';
import { EventLimit } from '../../src/control/event-limit.ts';
import { GatewaySession } from '../../src/control/gateway-session.ts';
import { encodeReported } from '../../src/control/reported.ts';
import { MqttSession } from '../../src/control/session.ts';
import { formatTopic, parseTopic, type Topic } from '../../src/control/topics.ts';
import { parseMac } from '../../src/model/mac.ts';
import { isVni, type Vni } from '../../src/model/vni.ts';
import { PeerDirectory, type PeerStore } from '../../src/peers/directory.ts';
import { Publisher, type LocalState } from '../../src/peers/publisher.ts';
import { systemClock } from '../../src/service/clock.ts';

const vni = (n: number): Vni => {
  if (!isVni(n)) throw new Error(`${n} is no VNI`);
  return n;
};
const LINE1 = vni(10110);
const SRC = join(import.meta.dirname, '../../src');
const DIR = mkdtempSync(join(tmpdir(), 'linkspan-control-'));
const children = new Set<ChildProcess>();
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  for (const child of children) await kill(child);
  rmSync(DIR, { recursive: true });
});

async function kill(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

async function until(what: string, holds: () => boolean, ms = 10_000): Promise<void> {
  for (const end = performance.now() + ms; !holds(); await sleep(10)) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
  }
}

async function freePort(): Promise<number> {
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

type Running = { close(): Promise<void> };

async function mosquitto(port: number, extra = 'allow_anonymous true'): Promise<Running> {
  const config = join(DIR, `${port}.conf`);
  writeFileSync(config, `listener ${port} 127.0.0.1\npersistence false\n${extra}\n`);
  const child = spawn('/usr/sbin/mosquitto', ['-c', config], { stdio: 'ignore' });
  children.add(child);
  while (!(await answers(port))) await sleep(20);
  return { close: () => kill(child) };
}

const embedded = (port: number): Promise<Running> => startBroker(`127.0.0.1:${port}`);

const nothing = (): never[] => [];
const emptyStore = (): PeerStore => {
  return {
    loadRecords: nothing,
    loadFloors: nothing,
    loadAlives: nothing,
    saveRecord: () => undefined,
    removeRecord: () => undefined,
    saveFloor: () => undefined,
    saveAlive: () => undefined,
  };
};

type Gateway = {
  session: GatewaySession;
  directory: PeerDirectory;
  events: string[];
  desired: string[];
  behind: number[];
};

function gateway(name: string, port: number, epoch = 5): Gateway {
  const events: string[] = [];
  const desired: string[] = [];
  const behind: number[] = [];
  const onEvent = (type: string): void => void events.push(type);
  const common = { fleet: 'plant', gateway: name, clock: systemClock };
  const directory = new PeerDirectory({ ...common, store: emptyStore(), onEvent });
  const session = new GatewaySession({
    ...common,
    directory,
    onEvent,
    publisher: new Publisher({ ...common, epoch }),
    mqtt: { url: `mqtt://127.0.0.1:${port}`, backoffMs: [50, 200] },
    clockIsRight: () => false,
    onDesired: (payload) => void desired.push(payload.toString()),
    onEpochBehind: (value) => void behind.push(value),
  });
  cleanups.push(() => session.stop());
  session.start();
  return { session, directory, events, desired, behind };
}

function local(n: number, ...vnis: Vni[]): LocalState {
  const m = parseMac(`02:00:00:00:00:0${n}`);
  const macs = m ? [{ m, ip: [`10.110.0.${n}`], q: 0, s: 1 as const }] : [];
  return {
    vteps: [{ ip: `198.51.100.${n}`, port: 4789 }],
    networks: vnis.map((id) => ({ vni: id, mtu: 1450, bum: 'replicate', macs })),
  };
}

const macsOf = ({ directory }: Gateway): string[] =>
  directory.remotes(LINE1).flatMap(({ macs }) => macs.map(({ m }) => m));
const stateOf = ({ directory }: Gateway): string | undefined => directory.peers()[0]?.state;

// a gateway in a process of its own, so that it can die
function childGateway(name: string, port: number, epoch: number): ChildProcess {
  const script = `
    import { GatewaySession } from '${SRC}/control/gateway-session.ts';
    import { PeerDirectory } from '${SRC}/peers/directory.ts';
    import { Publisher } from '${SRC}/peers/publisher.ts';
    import { systemClock as clock } from '${SRC}/service/clock.ts';
    const none = () => [];
    const store = { loadRecords: none, loadFloors: none, loadAlives: none, saveRecord: none, removeRecord: none, saveFloor: none, saveAlive: none };
    const common = { fleet: 'plant', gateway: '${name}', clock, onEvent: none };
    const session = new GatewaySession({ ...common, directory: new PeerDirectory({ ...common, store }), publisher: new Publisher({ ...common, epoch: ${epoch} }),
      mqtt: { url: 'mqtt://127.0.0.1:${port}' }, onDesired: none, onEpochBehind: none, clockIsRight: () => false });
    session.start();
    session.setLocal(${JSON.stringify(local(2, LINE1))});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  children.add(child);
  return child;
}

describe.each([
  ['mosquitto', mosquitto],
  ['the embedded broker', embedded],
] as const)('with %s', (_name, start) => {
  const broker = async (port: number): Promise<Running> => {
    const running = await start(port);
    cleanups.unshift(() => running.close().catch(() => undefined));
    return running;
  };

  test('two gateways learn each other, keep it without the broker, and come back', async () => {
    const port = await freePort();
    const first = await broker(port);
    const [a, b] = [gateway('gw-a', port), gateway('gw-b', port)];
    a.session.setLocal(local(1, LINE1));
    b.session.setLocal(local(2, LINE1));
    await until('a and b know each other', () => macsOf(a).length === 1 && macsOf(b).length === 1);
    expect(a.directory.remotes(LINE1)).toMatchObject([{ gateway: 'gw-b', vtep: { ip: '198.51.100.2', port: 4789 } }]);
    await first.close();
    await until('the sessions notice', () => !a.session.connected && !b.session.connected);
    expect([macsOf(a), macsOf(b)]).toEqual([['02:00:00:00:00:02'], ['02:00:00:00:00:01']]);
    b.session.setLocal(local(3, LINE1));
    await sleep(300);
    await broker(port);
    await until('a has what b changed meanwhile', () => macsOf(a)[0] === '02:00:00:00:00:03');
    expect([a.events.includes('broker_unreachable'), stateOf(a), stateOf(b)]).toEqual([true, 'up', 'up']);
    // on a new connection records come first: only then is b's alive topic followed, whose manifest withdraws
    await sleep(1500);
    b.session.setLocal(local(3));
    await until('b has left the VNI', () => macsOf(a).length === 0);
    expect(a.events).not.toContain('record_erased');
  });

  test('the will of a killed gateway makes it suspect and keeps its entries; its restart makes it up', async () => {
    const port = await freePort();
    await broker(port);
    const a = gateway('gw-a', port);
    a.session.setLocal(local(1, LINE1));
    const child = childGateway('gw-b', port, 7);
    await until('a knows b', () => macsOf(a).length === 1 && stateOf(a) === 'up');
    await kill(child);
    await until('b is suspect', () => stateOf(a) === 'suspect');
    expect(macsOf(a)).toEqual(['02:00:00:00:00:02']);
    const again = childGateway('gw-b', port, 8);
    await until('b is up again', () => stateOf(a) === 'up');
    expect(macsOf(a)).toEqual(['02:00:00:00:00:02']);
    await kill(again);
  });

  test('desired comes in, reported goes out, a stop says down, and a lost database is noticed', async () => {
    const port = await freePort();
    await broker(port);
    const seen = new Map<string, string>();
    const operator = mqttConnect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4 });
    cleanups.push(() => operator.endAsync(true));
    operator.on(
      'message',
      (topic, payload) => void seen.set(topic.replace('linkspan/v1/plant/gw/gw-a/', ''), payload.toString()),
    );
    await operator.subscribeAsync('linkspan/v1/plant/gw/gw-a/+', { qos: 1 });
    await operator.publishAsync('linkspan/v1/plant/gw/gw-a/desired', '{"v":1}', { qos: 1, retain: true });
    const a = gateway('gw-a', port, 9);
    a.session.setLocal(local(1, LINE1));
    a.session.reportedChanged(
      encodeReported({ applied_version: 3, applied_hash: null, state: 'applied', lkg_version: 3, errors: [] }, 9, []),
    );
    await until(
      'desired and reported',
      () => a.desired.length > 0 && seen.has('reported') && seen.get('alive')?.includes('"up"') === true,
    );
    expect(a.desired).toEqual(['{"v":1}']);
    expect(JSON.parse(seen.get('reported') ?? '')).toMatchObject({ applied_version: 3, epoch: 9, networks: {} });
    a.session.event({ id: 1, time: '2026-01-01T00:00:00Z', type: 'test', level: 'info', message: 'hello' });
    await until('the event', () => seen.get('event')?.includes('hello') === true);
    await a.session.stop();
    await until('down', () => seen.get('alive')?.includes('"down"') === true);
    for (const epoch of [9, 2]) {
      const lost = gateway('gw-a', port, epoch);
      lost.session.setLocal(local(1, LINE1));
      await until('the epoch is behind', () => lost.behind.length > 0);
      expect(lost.behind).toEqual([9]);
      await lost.session.stop();
    }
    expect(JSON.parse(seen.get('alive') ?? '')).toMatchObject({ epoch: 9, state: 'down' });
  });

  test('an epoch on our own topics that no gateway can have is told and not followed, another is', async () => {
    const port = await freePort();
    await broker(port);
    const forger = mqttConnect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4 });
    cleanups.push(() => forger.endAsync(true));
    const forge = (topic: string, epoch: number): Promise<unknown> => {
      const body = { v: 1, gw: 'gw-a', epoch, seq: 1, state: 'up' };
      const table = { fleet: 'plant', vni: LINE1, iat: 1, exp: 2, vtep: [{ ip: '192.0.2.1', port: 4789 }], mtu: 1450 };
      const text = JSON.stringify({ ...body, ...table, bum: 'replicate', macs: [] });
      return forger.publishAsync(`linkspan/v1/plant/${topic}`, text, { qos: 1, retain: true });
    };
    await forge('gw/gw-a/alive', 2 ** 53 - 1);
    await forge(`vni/${LINE1}/gw/gw-a`, 2 ** 32 - 1);
    const a = gateway('gw-a', port, 9);
    a.session.setLocal(local(1, LINE1));
    await until('the forged epoch is told', () => a.events.includes('epoch_forged'));
    const b = gateway('gw-b', port);
    b.session.setLocal(local(2, LINE1));
    await until('our own statements go out', () => stateOf(b) === 'up');
    expect(a.behind).toEqual([]);
    await forge(`vni/${LINE1}/gw/gw-a`, 41);
    await until('the epoch is behind', () => a.behind.length > 0);
    expect(a.behind).toEqual([41]);
  });

  test('what others write on our topics is mended and told, and a page of an earlier run goes', async () => {
    const port = await freePort();
    await broker(port);
    const other = mqttConnect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4 });
    cleanups.push(() => other.endAsync(true));
    const [ours, page, alive] = [`vni/${LINE1}/gw/gw-a`, `vni/${LINE1}/gw/gw-a/3`, 'gw/gw-a/alive'];
    const write = (topic: string, text: string): Promise<unknown> =>
      other.publishAsync(`linkspan/v1/plant/${topic}`, text, { qos: 1, retain: true });
    await write(page, 'of an earlier run');
    const retained = new Map<string, string>();
    other.on(
      'message',
      (topic, payload) => void retained.set(topic.slice('linkspan/v1/plant/'.length), payload.toString()),
    );
    await other.subscribeAsync('linkspan/v1/plant/#', { qos: 1 });
    const a = gateway('gw-a', port);
    a.session.setLocal(local(1, LINE1));
    const seqOf = (topic: string): number => (JSON.parse(retained.get(topic) || '{}') as { seq?: number }).seq ?? 0;
    await until('the record and the birth', () => seqOf(ours) > 0 && seqOf(alive) > 0);
    const before = seqOf(ours);
    await write(ours, '');
    await write(alive, 'no birth');
    await until('it is mended', () => seqOf(ours) > before && seqOf(alive) > seqOf(ours) && retained.get(page) === '');
    expect(a.events.filter((type) => type === 'record_healed')).toHaveLength(2);
  });

  test('a first change goes out at once, what follows within 200 ms together', async () => {
    const port = await freePort();
    await broker(port);
    const other = mqttConnect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4 });
    cleanups.push(() => other.endAsync(true));
    const came: number[] = [];
    const a = gateway('gw-a', port);
    a.session.setLocal(local(1, LINE1));
    await until('connected', () => a.session.connected);
    await sleep(1000);
    await other.subscribeAsync(`linkspan/v1/plant/vni/${LINE1}/gw/gw-a`, { qos: 1 });
    await sleep(100);
    other.on('message', () => void came.push(performance.now()));
    const started = performance.now();
    for (let n = 0; performance.now() - started < 1000; n += 1) {
      a.session.setLocal(local((n % 8) + 2, LINE1));
      await sleep(5);
    }
    await sleep(300);
    expect((came[0] ?? Infinity) - started).toBeLessThan(150);
    expect(came.length).toBeGreaterThan(3);
    expect(came.length).toBeLessThanOrEqual(7);
  });

  test('only the alive topics of gateways in a VNI of ours are followed', async () => {
    const port = await freePort();
    await broker(port);
    const [a, b] = [gateway('gw-a', port), gateway('gw-b', port)];
    gateway('gw-c', port).session.setLocal(local(3, vni(99)));
    a.session.setLocal(local(1, LINE1));
    b.session.setLocal(local(2, LINE1));
    await until('a follows b', () => a.events.includes('peer_up'));
    await sleep(500);
    expect(a.events.filter((type) => type === 'peer_up')).toHaveLength(1);
    expect(a.directory.peers().map((peer) => peer.gateway)).toEqual(['gw-b']);
  });
});

test('8000 records come through a queue of 1000, by their manifests', async () => {
  const port = await freePort();
  const running = await mosquitto(port);
  cleanups.push(() => running.close());
  const vnis = Array.from({ length: 40 }, (_, n) => vni(n + 1));
  const writer = mqttConnect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4 });
  cleanups.push(() => writer.endAsync(true));
  for (let n = 0; n < 200; n += 1) {
    const gw = `gw-${n}`;
    const publisher = new Publisher({ fleet: 'plant', gateway: gw, epoch: 1, clock: systemClock });
    const all = publisher.update(local(1, ...vnis)).map((one) => {
      const topic = formatTopic('plant', one.kind === 'alive' ? { kind: 'alive', gw } : { ...one, gw });
      return writer.publishAsync(topic, one.payload, { qos: 1, retain: true });
    });
    await Promise.all(all);
  }
  const a = gateway('gw-a', port);
  const held = (): number => vnis.reduce((sum, id) => sum + a.directory.remotes(id).length, 0);
  a.session.setLocal(local(1, ...vnis));
  await until('the broker has given what it gives', () => held() > 0);
  await sleep(1000);
  expect(held()).toBeLessThan(8000);
  await until('all 8000', () => held() === 8000, 60_000);
}, 90_000);

function mqttSession(
  port: number,
  over: { passwordFile?: string; username?: string; backoffMs?: [number, number] } = {},
): { session: MqttSession; events: string[]; connects: () => number } {
  const events: string[] = [];
  let connects = 0;
  const one = new MqttSession({
    url: `mqtt://user:hunter2@127.0.0.1:${port}`,
    clientId: 'linkspan-plant-gw-a',
    backoffMs: [10, 30],
    ...over,
    will: () => ({ topic: 'w', payload: Buffer.from('x') }),
    onMessage: () => {
      throw new Error('disk full');
    },
    onConnect: () => void (connects += 1),
    onEvent: (type, _level, message) => void events.push(`${type} ${message}`),
  });
  cleanups.push(() => one.stop());
  one.start();
  return { session: one, events, connects: () => connects };
}

describe('a broker that refuses', () => {
  test('one event for a broker that is away, with the remedy and without the password', async () => {
    const { events } = mqttSession(await freePort());
    await sleep(300);
    expect(events).toEqual([expect.stringMatching(/^broker_unreachable .*127\.0\.0\.1.*; check mqtt\.url/)]);
    expect(events.join()).not.toContain('hunter2');
  });

  test('wrong password, then a right one in the file', async () => {
    const port = await freePort();
    const [passwords, secret] = [join(DIR, 'passwords'), join(DIR, 'secret')];
    const made = spawn('mosquitto_passwd', ['-c', '-b', passwords, 'gw', 'right']);
    await new Promise((resolve, reject) => void made.once('exit', resolve).once('error', reject));
    const running = await mosquitto(port, `allow_anonymous false\npassword_file ${passwords}\nuser root`);
    cleanups.push(() => running.close());
    const { events, session: one } = mqttSession(port, { username: 'gw', passwordFile: secret });
    await until('the missing file is told', () => events.length === 1);
    writeFileSync(secret, 'wrong\n');
    await until('the refusal is told', () => events.length === 2);
    writeFileSync(secret, 'right\n');
    await until('connected', () => one.connected && events.length === 3);
    expect(events.map((event) => event.split(' ')[0])).toEqual([
      'broker_credentials',
      'broker_unauthorised',
      'broker_connected',
    ]);
    expect(events.join()).not.toMatch(/wrong|hunter2/);
  });

  test('two sessions of one name do not chase each other ever faster', async () => {
    const port = await freePort();
    await mosquitto(port);
    const [one, two] = [mqttSession(port, { backoffMs: [10, 2000] }), mqttSession(port, { backoffMs: [10, 2000] })];
    one.session.start();
    two.session.start();
    await sleep(2000);
    expect(one.connects() + two.connects()).toBeLessThan(40);
  });

  test('a receiver that throws is told and does not end the session', async () => {
    const running = await startBroker('127.0.0.1:0');
    const { events, session: one, connects } = mqttSession(running.port);
    one.setSubscriptions(['t']);
    await until('connected', () => connects() === 1);
    one.publish('t', Buffer.from('x'), false);
    await until('the error is told', () => events.length > 0);
    expect([one.connected, events]).toEqual([true, ['message_failed t: disk full']]);
    await one.stop();
    await running.close();
  });

  test('the embedded broker says where its own host reaches it', async () => {
    for (const [listen, host] of [
      ['0.0.0.0:0', '127.0.0.1'],
      ['127.0.0.9:0', '127.0.0.9'],
      ['[::1]:0', '[::1]'],
    ] as const) {
      const running = await startBroker(listen);
      expect(running.url).toBe(`mqtt://${host}:${running.port}`);
      await running.close();
    }
  });

  test('a listen address that is taken or malformed is told with the remedy', async () => {
    const running = await startBroker('127.0.0.1:0');
    await expect(startBroker(`127.0.0.1:${running.port}`)).rejects.toThrow(
      /mqtt\.embedded\.listen .*EADDRINUSE.*free the address/,
    );
    await expect(startBroker('nonsense')).rejects.toThrow(/not HOST:PORT/);
    await running.close();
  });
});

test('topics', () => {
  const topics: Topic[] = [
    { kind: 'desired', gw: 'gw-a' },
    { kind: 'alive', gw: 'gw-a' },
    { kind: 'record', vni: LINE1, gw: 'gw-a', page: 0 },
    { kind: 'record', vni: LINE1, gw: 'gw-a', page: 64 },
    { kind: 'rpc_req', gw: 'gw-a', id: 'x1' },
  ];
  for (const topic of topics) expect(parseTopic('plant', formatTopic('plant', topic))).toEqual(topic);
  const bad = [
    'other/v1/plant/gw/a/alive',
    'linkspan/v1/x/gw/a/alive',
    'linkspan/v1/plant/vni/0/gw/a',
    'linkspan/v1/plant/vni/1/gw/a/0',
    'linkspan/v1/plant/vni/1/gw/a/65',
    'linkspan/v1/plant/vni/1/gw/a/2/3',
    'linkspan/v1/plant/gw/A/alive',
  ];
  for (const name of bad) expect(parseTopic('plant', name)).toBeUndefined();
});

test('events are limited and the loss is told', () => {
  let now = 0;
  const limit = new EventLimit({ now: () => 0, monotonic: () => now });
  const event = { id: 1, time: '', type: 't', level: 'info', message: '' } as const;
  expect(Array.from({ length: 25 }, () => limit.admit(event)).filter(Boolean)).toHaveLength(20);
  now = 1000;
  expect(limit.admit(event)?.toString()).toContain('"suppressed":5');
});
