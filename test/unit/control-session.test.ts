import { describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as mqttConnect } from 'mqtt';
import { startBroker } from '../../src/control/broker.ts';
import { EventLimit } from '../../src/control/session/event-limit.ts';
import { encodeReported } from '../../src/control/reported.ts';
import { MqttSession } from '../../src/control/session/session.ts';
import { formatTopic, parseTopic, type Topic } from '../../src/control/session/topics.ts';
import {
  children,
  cleanups,
  DIR,
  embedded,
  freePort,
  type Gateway,
  gateway,
  kill,
  LINE1,
  local,
  mosquitto,
  type Running,
  SRC,
  until,
} from './support/sessions.ts';

const macsOf = ({ directory }: Gateway): string[] =>
  directory.remotes(LINE1).flatMap(({ macs }) => macs.map(({ m }) => m));
const stateOf = ({ directory }: Gateway): string | undefined => directory.peers()[0]?.state;

// a gateway in a process of its own, so that it can die
function childGateway(name: string, port: number, epoch: number): ChildProcess {
  const script = `
    import { GatewaySession } from '${SRC}/control/session/gateway-session.ts';
    import { PeerDirectory } from '${SRC}/peers/directory.ts';
    import { Publisher } from '${SRC}/peers/publisher.ts';
    import { systemClock as clock } from '${SRC}/service/clock.ts';
    import { TrustGate } from '${SRC}/trust/gate.ts';
    import { makeSigningKey } from '${SRC}/trust/key.ts';
    const none = () => [];
    const store = { loadRecords: none, loadFloors: none, loadAlives: none, saveRecord: none, removeRecord: none, saveFloor: none, saveAlive: none };
    const common = { fleet: 'plant', gateway: '${name}', clock, onEvent: none };
    const trust = new TrustGate({ ...common, policy: 'off', key: makeSigningKey(), fleetKey: undefined, store: {} });
    const session = new GatewaySession({ ...common, trust, directory: new PeerDirectory({ ...common, store }), publisher: new Publisher({ ...common, epoch: ${epoch} }),
      mqtt: { url: 'mqtt://127.0.0.1:${port}' }, onDesired: none, onRequest: none, onEpochBehind: none, clockIsRight: () => false });
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
      encodeReported({
        config: {
          applied_version: 3,
          applied_hash: null,
          state: 'applied',
          lkg_version: 3,
          errors: [],
          candidate: null,
        },
        epoch: 9,
        networks: [],
        firmware: null,
      }),
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
});

function mqttSession(
  port: number,
  over: { url?: string; passwordFile?: string; username?: string; backoffMs?: [number, number] } = {},
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

  test('the nodes of a cluster are tried in turn, and again from the first', async () => {
    const [one, two] = [await freePort(), await freePort()];
    let running = await mosquitto(two);
    const { session } = mqttSession(0, { url: `mqtt://127.0.0.1:${one},mqtt://user:hunter2@127.0.0.1:${two}` });
    await until('the second', () => session.connected);
    expect(session.url).toBe(`mqtt://127.0.0.1:${two}`);
    await running.close();
    running = await mosquitto(one);
    cleanups.push(() => running.close());
    await until('the first', () => session.connected && session.url.endsWith(String(one)));
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
    one.setSubscriptions(new Map([['t', 1]]));
    await until('connected', () => connects() === 1);
    one.publish('t', Buffer.from('x'), false);
    await until('the error is told', () => events.length > 0);
    expect([one.connected, events]).toEqual([true, ['message_failed t: disk full']]);
    await one.stop();
    await running.close();
  });

  test('a broker that answers nothing any more does not hold the stop up', async () => {
    const port = await freePort();
    const connack = Buffer.from([0x20, 3, 0, 0, 0]);
    const server = createServer((socket) =>
      socket.on('error', () => undefined).once('data', () => socket.write(connack)),
    );
    await new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => void server.close(resolve)));
    const { session: one } = mqttSession(port);
    one.setSubscriptions(new Map([['t', 0]]));
    await until('connected', () => one.connected);
    await sleep(100);
    const stopped = one.stop().then(() => 'stopped');
    expect(await Promise.race([stopped, sleep(5000, 'still waiting')])).toBe('stopped');
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
