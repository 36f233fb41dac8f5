import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { WifiStatus } from '../../src/model/status.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../lab/gateway.ts';
import type { Lab } from '../lab/lab.ts';
import { vmLab } from '../lab/vm/lab.ts';
import { type AccessPoint, asTheUnit, type WifiLab, wifiLab } from '../lab/vm/wifi.ts';
import { until } from '../lab/wait.ts';
import { builtService } from '../netns/support/built.ts';
import { apply } from '../netns/support/documents.ts';
import { gatewayName } from '../netns/support/names.ts';

const SSID = 'odd:na me "é🏭';
const KEY = 'right-key-1';
const PSK_FILE = '/run/linkspan-test.psk';
/** In software, on a machine with other things to do, with up to four attempts. */
const PATIENCE_MS = 80_000;

jest.setTimeout(180_000);

let lab: Lab;
let wifi: WifiLab;
let protectedAp: AccessPoint;
let openAp: AccessPoint;
let gateway: Gateway;
let options: GatewayOptions;

beforeAll(async () => {
  builtService();
  lab = await vmLab();
  wifi = await wifiLab(lab);
  const wpa2 = ['wpa=2', 'wpa_key_mgmt=WPA-PSK', 'rsn_pairwise=CCMP', `wpa_passphrase=${KEY}`];
  protectedAp = await wifi.accessPoint(['channel=1', `ssid2=P"${SSID.replaceAll('"', '\\"')}"`, ...wpa2]);
  openAp = await wifi.accessPoint(['channel=6', 'ssid=-open']);
  const mqtt = { url: 'mqtt://127.0.0.1:9' };
  const config = { gateway: gatewayName('w'), mqtt, status: { listen: '127.0.0.1:0' } };
  options = { namespace: await asTheUnit(), config, dir: await lab.folder() };
  gateway = await startGateway(lab, options);
}, 180_000);
afterAll(() => lab.close());

const join = (version: number, wish: object): Promise<unknown> =>
  apply(gateway, version, { uplinks: { air: { interface: wifi.station, ...wish } }, networks: {}, workloads: {} });

const writeKey = (key: string): Promise<unknown> =>
  lab.run(['sh', '-c', `umask 077; cat >${PSK_FILE}`], { input: `${key}\n` });

async function uplink(): Promise<WifiStatus | null> {
  const [one] = (await gateway.status()).uplinks;
  return one?.wifi ?? null;
}

const untilState = (state: WifiStatus['state']): Promise<WifiStatus> =>
  until(
    `the uplink to be ${state}`,
    async () => {
      const now = await uplink();
      if (now?.state !== state) throw new Error(JSON.stringify(now));
      return now;
    },
    PATIENCE_MS,
  );

test('a wrong key is said, with what to do, and forgotten once the file is mended; the odd SSID is joined', async () => {
  await writeKey('wrong-key-1');
  await join(1, { ssid: SSID, pskFile: PSK_FILE });
  const { problem } = await untilState('failed');
  // NetworkManager asks for another key, or ends without a word.
  expect(problem).toMatch(/correct the key in "pskFile"|see to the key/);
  await until('ill health', async () => !(await gateway.status()).health.ok);
  await writeKey(KEY);
  const joined = await untilState('joined');
  expect(joined).toMatchObject({ ssid: SSID, problem: null });
  expect(await protectedAp.hasStation()).toBe(true);
  await until('health', async () => (await gateway.status()).health.ok);
  expect(gateway.log()).not.toContain('key-1');
});

test('a restart of the service leaves what is joined alone', async () => {
  const before = protectedAp.joined();
  await gateway.stop();
  gateway = await startGateway(lab, options);
  expect((await untilState('joined')).signal_percent).toBeGreaterThan(0);
  expect(protectedAp.joined()).toBe(before);
});

test('an access point that is gone is told, and joined again when it is back', async () => {
  await protectedAp.stop();
  expect((await untilState('lost')).problem).toContain('has lost');
  await protectedAp.start();
  await untilState('joined');
  expect(await protectedAp.hasStation()).toBe(true);
});

const stateOf = async (): Promise<string> =>
  (await lab.run(['nmcli', '--terse', '--fields', 'GENERAL.STATE', 'device', 'show', wifi.station])).stdout;

test('an access point that vanishes while it is joined is no access point, and joined once it is back', async () => {
  await join(2, {});
  await protectedAp.stop();
  await until('the station to be without it', async () => !(await protectedAp.hasStation()));
  await protectedAp.start();
  protectedAp.fallSilent();
  const before = protectedAp.joined();
  await join(3, { ssid: SSID, pskFile: PSK_FILE });
  await until('NetworkManager to be at it', async () => (await stateOf()).includes('(connecting'), PATIENCE_MS);
  await protectedAp.vanish();
  expect((await untilState('failed')).problem).toContain('has not joined');
  expect(protectedAp.joined()).toBe(before);
  await protectedAp.start();
  await untilState('joined');
  expect((await uplink())?.heard).toContainEqual(expect.objectContaining({ ssid: SSID, security: 'WPA2' }));
});

test('another SSID in the document is joined instead, an open one with a leading dash; left out, it stays', async () => {
  await join(4, { ssid: '-open' });
  await untilState('joined');
  expect(await openAp.hasStation()).toBe(true);
  await join(5, {});
  expect(await uplink()).toBeNull();
  expect(await openAp.hasStation()).toBe(true);
});
