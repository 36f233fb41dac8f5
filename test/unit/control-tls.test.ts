import { describe, expect, test } from '@jest/globals';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBroker } from '../../src/control/broker.ts';
import { type BrokerAccess, MqttSession } from '../../src/control/session/session.ts';
import { Authority, type Certified } from './support/certificates.ts';
import { cleanups, DIR, freePort, gateway, LINE1, local, mosquitto, type Running, until } from './support/sessions.ts';

const SHIPPED = join(import.meta.dirname, '../../systemd/mosquitto');
const authority = new Authority(DIR);
const server = authority.issue('broker');
const [a, b] = [authority.issue('gw-a'), authority.issue('gw-b')];
const ACL = join(DIR, 'linkspan.acl');
writeFileSync(ACL, readFileSync(join(SHIPPED, 'linkspan.acl')));

/** The shipped configuration, with the test's files. */
function shipped(files: Certified): string {
  return readFileSync(join(SHIPPED, 'linkspan.conf'), 'utf8')
    .replace(/^listener .*\n/m, '')
    .replace(/^(cafile) .*/m, `$1 ${authority.ca}`)
    .replace(/^(certfile) .*/m, `$1 ${files.cert}`)
    .replace(/^(keyfile) .*/m, `$1 ${files.key}`)
    .replace(/^(acl_file) .*/m, `$1 ${ACL}`)
    .concat('user root\n');
}

const withMosquitto = (port: number, files: Certified): Promise<Running> => mosquitto(port, shipped(files));
const withEmbedded = (port: number, files: Certified): Promise<Running> =>
  startBroker(`127.0.0.1:${port}`, { ...files, ca: authority.ca });

const urlOf = (port: number): string => `mqtts://127.0.0.1:${port}`;

type Told = { readonly type: string; readonly message: string };

/** What a session is told that tries to connect. */
async function troubleOf(access: BrokerAccess): Promise<Told> {
  const told: Told[] = [];
  const session = new MqttSession({
    backoffMs: [50, 200],
    ...access,
    clientId: 'linkspan-plant-gw-a',
    will: () => ({ topic: 'will', payload: Buffer.from('x') }),
    onMessage: () => undefined,
    onConnect: () => void told.push({ type: 'connected', message: '' }),
    onEvent: (type, _level, message) => void told.push({ type, message }),
  });
  session.start();
  await until('an end of the attempt', () => told.length > 0);
  await session.stop();
  return told[0] as Told;
}

describe.each([
  ['mosquitto as shipped', withMosquitto],
  ['the embedded broker', withEmbedded],
] as const)('%s', (_name, start) => {
  const broker = async (files = server): Promise<number> => {
    const port = await freePort();
    const running = await start(port, files);
    cleanups.push(() => running.close());
    return port;
  };

  test('gateways with certificates learn each other', async () => {
    const port = await broker();
    const access = { url: urlOf(port), ca: authority.ca };
    const one = gateway('gw-a', port, 5, { ...access, ...a });
    const other = gateway('gw-b', port, 5, { ...access, ...b });
    one.session.setLocal(local(1, LINE1));
    other.session.setLocal(local(2, LINE1));
    await until('both know both', () => [one, other].every(({ directory }) => directory.remotes(LINE1).length === 1));
  }, 30_000);

  test('whoever has no certificate, or one of another authority, stays outside', async () => {
    const port = await broker();
    const foreign = new Authority(DIR, 'foreign').issue('gw-a-foreign');
    for (const mine of [{}, foreign]) {
      const { type } = await troubleOf({ url: urlOf(port), ca: authority.ca, ...mine });
      expect(['broker_tls', 'broker_unreachable']).toContain(type);
    }
  }, 30_000);

  test('an expired certificate is named: the broker’s, and this gateway’s own', async () => {
    const expired = authority.issue('expired', { days: -1 });
    const its = await troubleOf({ url: urlOf(await broker(expired)), ca: authority.ca, ...a });
    expect(its).toMatchObject({ type: 'broker_tls', message: expect.stringContaining('expired') });
    const own = await troubleOf({ url: urlOf(await broker()), ca: authority.ca, ...expired });
    expect(own).toMatchObject({ type: 'broker_tls' });
    expect(own.message).toMatch(/this gateway's certificate expired on \d{4}-/);
  }, 30_000);

  test('a broker of another authority is not believed', async () => {
    const other = new Authority(DIR, 'other');
    const { type } = await troubleOf({ url: urlOf(await broker()), ca: other.ca, ...a });
    expect(type).toBe('broker_tls');
  }, 30_000);
});

test('the embedded broker takes its own gateway without a certificate, and names files that it cannot use', async () => {
  const running = await startBroker('127.0.0.1:0', { ...server, ca: authority.ca });
  cleanups.push(() => running.close());
  expect(running.url).toBe(`mqtts://127.0.0.1:${running.port}`);
  const own = gateway('gw-a', 0, 5, { url: running.url, open: () => running.open() });
  own.session.setLocal(local(1, LINE1));
  const other = gateway('gw-b', 0, 5, { url: running.url, ca: authority.ca, ...b });
  other.session.setLocal(local(2, LINE1));
  await until('both know both', () => [own, other].every(({ directory }) => directory.remotes(LINE1).length === 1));
  await expect(startBroker('127.0.0.1:0', { ...server, key: a.key })).rejects.toThrow(/mqtt\.embedded\.cert/);
  await expect(startBroker('127.0.0.1:0', { ...server, cert: '/none.crt' })).rejects.toThrow('/none.crt');
}, 30_000);

describe('what the shipped rules allow', () => {
  const open = async (): Promise<(who: Certified, options?: IClientOptions) => Promise<MqttClient>> => {
    const port = await freePort();
    const running = await mosquitto(port, shipped(server));
    cleanups.push(() => running.close());
    return async ({ cert, key }, options = {}) => {
      const files = { ca: readFileSync(authority.ca), cert: readFileSync(cert), key: readFileSync(key) };
      const client = await connectAsync(urlOf(port), { protocolVersion: 5, reconnectPeriod: 0, ...files, ...options });
      cleanups.push(() => client.endAsync(true));
      return client;
    };
  };
  const operator = authority.issue('fleet.operator');
  const RECORD = 'linkspan/v1/plant/vni/10110/gw/gw-a';
  const ALIVE = 'linkspan/v1/plant/gw/gw-a/alive';

  test('a gateway writes on its own topics and on no other’s, erases none, and neither trust nor its document', async () => {
    const connect = await open();
    const [one, other] = [await connect(a), await connect(b)];
    const retain = { qos: 1, retain: true } as const;
    await one.publishAsync(RECORD, 'mine', retain);
    await one.publishAsync(`${RECORD}/1`, 'mine', retain);
    await one.publishAsync(ALIVE, 'mine', retain);
    for (const topic of [
      RECORD,
      `${RECORD}/1`,
      ALIVE,
      'linkspan/v1/plant/gw/gw-b/desired',
      'linkspan/v1/plant/trust/gw-b',
    ]) {
      await expect(other.publishAsync(topic, 'theirs', retain)).rejects.toThrow(/authorized/i);
      await expect(other.publishAsync(topic, '', retain)).rejects.toThrow(/authorized/i);
    }
    // an older client is not told, and changes nothing either
    await (await connect(authority.issue('gw-c'), { protocolVersion: 4 })).publishAsync(RECORD, 'theirs', retain);
    await (await connect(operator)).publishAsync('linkspan/v1/plant/trust/gw-b', 'vouched', retain);

    const seen = new Map<string, string>();
    other.on('message', (topic, payload) => void seen.set(topic, payload.toString()));
    await other.subscribeAsync(['linkspan/v1/plant/vni/10110/gw/#', 'linkspan/v1/plant/gw/+/alive', 'linkspan/v1/plant/trust/+'], { qos: 1 }); // prettier-ignore
    await until('what is retained has come', () => seen.size === 4);
    expect([...seen.values()].toSorted()).toEqual(['mine', 'mine', 'mine', 'vouched']);
  }, 30_000);

  test('another’s client id closes nobody’s connection, and no will fires on another’s topic', async () => {
    const connect = await open();
    const victim = await connect(a, { clientId: 'linkspan-plant-gw-a' });
    const seen: string[] = [];
    victim.on('message', (_topic, payload) => void seen.push(payload.toString()));
    await victim.subscribeAsync('linkspan/v1/plant/gw/+/alive', { qos: 1 });
    const will = { topic: ALIVE, payload: Buffer.from('dead'), qos: 1, retain: true } as const;
    const thief = await connect(b, { clientId: 'linkspan-plant-gw-a', will });
    thief.stream.destroy();
    await (await connect(b)).publishAsync('linkspan/v1/plant/gw/gw-b/alive', 'alive', { qos: 1 });
    await until('the later message', () => seen.length > 0);
    await sleep(300);
    expect([victim.connected, seen]).toEqual([true, ['alive']]);
  }, 30_000);

  test('another’s document and requests are not for a gateway to read', async () => {
    const connect = await open();
    const [other, owner] = [await connect(b), await connect(operator)];
    const seen: string[] = [];
    other.on('message', (topic) => void seen.push(topic));
    await other.subscribeAsync('linkspan/v1/#', { qos: 1 });
    for (const gw of ['gw-a', 'gw-b'])
      for (const what of ['desired', 'rpc/req/1'])
        await owner.publishAsync(`linkspan/v1/plant/gw/${gw}/${what}`, 'x', { qos: 1 });
    await until('those for it', () => seen.length >= 2);
    await sleep(300);
    expect(seen).toEqual(['linkspan/v1/plant/gw/gw-b/desired', 'linkspan/v1/plant/gw/gw-b/rpc/req/1']);
  }, 30_000);
});
