import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connectAsync } from 'mqtt';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/service/clock.ts';
import { TrustGate } from '../../src/trust/gate.ts';
import { makeSigningKey, parsePublicKey } from '../../src/trust/key.ts';
import { cleanups, freePort, mosquitto } from './support/sessions.ts';
import { MemoryTrust } from './support/trust.ts';

const PROGRAM = new URL('../../src/bin/linkspan.ts', import.meta.url).pathname;
const device = makeSigningKey();
const DOCUMENT = '{ "v": 1, "version": 3, "note": "Größe \u202e\n" }';
let [directory, dir, fleetKey] = ['', '', ''];

type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

function fleet(...argv: readonly string[]): Promise<Ended> {
  const [verb = '', ...rest] = argv;
  const child = spawn(process.execPath, [PROGRAM, 'fleet', verb, '--dir', dir, ...rest], { stdio: 'pipe' });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

const gate = (): TrustGate =>
  new TrustGate({
    fleet: 'plant',
    gateway: 'gw-a',
    policy: 'require',
    key: device,
    fleetKey: parsePublicKey(fleetKey),
    store: new MemoryTrust(),
    clock: systemClock,
    onEvent: () => undefined,
  });

/** The topic and payload that it prints. */
const say = async (...argv: readonly string[]): Promise<[string, Buffer]> => {
  const { out } = await fleet(...argv);
  const [topic = '', payload = ''] = out.split('\n');
  return [topic, Buffer.from(payload)];
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fleet-cli-'));
  dir = join(directory, 'fleet');
  const { out, err } = await fleet('init', '--fleet', 'plant');
  expect(err).toBe('');
  [, fleetKey = ''] = /^fleetKey: ([\w-]{43})\n$/.exec(out) ?? [];
  expect(fleetKey).not.toBe('');
});
afterAll(() => rmSync(directory, { recursive: true }));

test("a fleet's key is its owner's alone, and is never made twice", async () => {
  expect(statSync(join(dir, 'fleet.key')).mode & 0o777).toBe(0o600);
  const again = await fleet('init', '--fleet', 'plant');
  expect(again.code).toBe(1);
  expect(again.err).toContain('is there already');
});

test('what is printed is believed, each record above the one before, and a document as it was written', async () => {
  const one = gate();
  const enrolled = await say('enrol', 'gw-a', '--key', device.public.text, '--vnis', '1-4,10110');
  expect(enrolled[0]).toBe('linkspan/v1/plant/trust/gw-a');
  expect(one.receiveTrust('gw-a', ...enrolled)).toBe(true);
  expect(one.status).toMatchObject({ enrolled: 'yes', vnis: '1-4,10110' });
  expect(one.receiveTrust('gw-a', ...(await say('revoke', 'gw-a')))).toBe(true);
  expect(one.status.enrolled).toBe('revoked');
  expect(one.receiveTrust('gw-a', ...(await say('enrol', 'gw-a', '--key', device.public.text)))).toBe(true);
  expect(one.status).toMatchObject({ enrolled: 'yes', vnis: 'all' });

  const file = join(directory, 'site.json');
  writeFileSync(file, DOCUMENT);
  const [topic, payload] = await say('sign', 'gw-a', '-f', file);
  expect(topic).toBe('linkspan/v1/plant/gw/gw-a/desired');
  expect(one.openOrder(topic, payload, 1000)?.toString()).toBe(DOCUMENT);
  const request = await say('sign', 'gw-a', '-f', file, '--request', 'r-1');
  expect(request[0]).toBe('linkspan/v1/plant/gw/gw-a/rpc/req/r-1');
  expect(one.openOrder(...request, 1000)?.toString()).toBe(DOCUMENT);
}, 30_000);

test('a broker is given all of them, retained', async () => {
  const port = await freePort();
  const broker = await mosquitto(port);
  cleanups.push(() => broker.close());
  const url = `mqtt://127.0.0.1:${port}`;
  await fleet('enrol', 'gw-b', '--key', device.public.text);
  const published = await fleet('enrol', 'gw-a', '--key', device.public.text, '--broker', url);
  expect(published).toEqual({ code: 0, out: 'published linkspan/v1/plant/trust/gw-a\n', err: '' });
  expect((await fleet('publish', '--broker', url)).out.split('\n')).toHaveLength(3);

  const [client, one] = [await connectAsync(url), gate()];
  const came = new Promise<void>((resolve) => {
    client.on('message', (topic, payload, { retain }) => {
      const isNews = one.receiveTrust(topic.slice('linkspan/v1/plant/trust/'.length), topic, payload);
      if (isNews && retain && one.followed.length === 2) resolve();
    });
  });
  await client.subscribeAsync('linkspan/v1/plant/trust/+', { qos: 1 });
  await came;
  await client.endAsync();
  expect(one.status.enrolled).toBe('yes');
}, 30_000);

test.each([
  [2, 'give the key', ['enrol', 'gw-a']],
  [2, 'no public key', ['enrol', 'gw-a', '--key', 'x']],
  [2, 'no gateway', ['enrol', 'GW', '--key', device.public.text]],
  [2, 'from 1 to 16777215', ['enrol', 'gw-a', '--key', device.public.text, '--vnis', '0-4']],
  [2, 'mqtts://HOST', ['revoke', 'gw-z', '--broker', 'mqtt://me:secret@127.0.0.1:1']],
  [1, 'unreachable|ECONNREFUSED', ['publish', '--broker', 'mqtt://127.0.0.1:1']],
])('exit code %i and a remedy (%s)', async (code, remedy, argv) => {
  const ended = await fleet(...argv);
  expect(ended).toMatchObject({ code, out: '' });
  expect(ended.err).toMatch(new RegExp(remedy));
  expect(ended.err).not.toContain('secret');
});

test('a key that others may read is not used', async () => {
  chmodSync(join(dir, 'fleet.key'), 0o644);
  const ended = await fleet('revoke', 'gw-a');
  chmodSync(join(dir, 'fleet.key'), 0o600);
  expect(ended.code).toBe(1);
  expect(ended.err).toContain('chmod 600');
});
