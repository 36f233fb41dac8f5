import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { vmLab } from '../lab/vm/lab.ts';
import { moveRadio, radios } from '../lab/vm/radios.ts';
import { until } from '../lab/wait.ts';
import { builtService } from '../netns/support/built.ts';
import { Capture } from '../netns/support/capture.ts';
import { apply, applyText, documentText, type Spec, workload } from '../netns/support/documents.ts';
import { gatewayName } from '../netns/support/names.ts';

const ACCESS_POINT = 'interface=wlan0\ndriver=nl80211\nhw_mode=g\nchannel=1\nssid=plant-iot\nwds_sta=1\n';

let lab: Lab;
let ap: Namespace;
let host: Namespace;
let gateway: Gateway;
let w1: Namespace;
let w2: Namespace;
let version = 0;

/** Two radios of mac80211_hwsim: an open access point with the plant behind it, and the gateway's station. */
beforeAll(async () => {
  builtService();
  lab = await vmLab();
  ap = await lab.namespace('ap');
  host = await lab.namespace('gw');
  [w1, w2] = [await lab.namespace('w1'), await lab.namespace('w2')];
  const [first, second] = await radios(lab, 2);
  if (first === undefined || second === undefined) throw new Error('no radios');
  await moveRadio(lab, first, ap);
  await moveRadio(lab, second, host);
  await ap.ip('link', 'set', first.device, 'name', 'wlan0');
  await host.ip('link', 'set', second.device, 'name', 'wlan1');
  await lab.write('/tmp/hostapd.conf', ACCESS_POINT);
  await lab.process(ap, ['hostapd', '/tmp/hostapd.conf']);
  await ap.batch(['address add 10.20.0.10/24 dev wlan0', 'address add fd00:20::10/64 dev wlan0 nodad']);
  await join();
  gateway = await startGateway(lab, {
    namespace: host,
    config: {
      gateway: gatewayName('wifi'),
      underlay: { address: '10.20.0.1' },
      mqtt: { url: 'mqtt://127.0.0.1:9' },
      status: { listen: '127.0.0.1:0' },
    },
  });
}, 120_000);
afterAll(() => lab.close());

async function join(): Promise<void> {
  await host.batch([
    'link set wlan1 up',
    'address replace 10.20.0.1/24 dev wlan1',
    'address replace fd00:20::1/64 dev wlan1 nodad',
  ]);
  await until('the station to be joined', async () => {
    await host.attempt('iw', 'dev', 'wlan1', 'connect', 'plant-iot');
    return host.reaches('10.20.0.10');
  });
}

const plant = (change: Record<string, unknown> = {}): Spec => ({
  uplinks: { wifi: { interface: 'wlan1' } },
  networks: {
    plant: { driver: 'macvlan', uplink: 'wifi', subnet: '10.20.0.0/24', subnet6: 'fd00:20::/64', ...change },
  },
  workloads: {
    w1: workload(w1, { plant: { address: '10.20.0.31', address6: 'fd00:20::31' } }),
    w2: workload(w2, { plant: { address: '10.20.0.32' } }),
  },
});
const kindOf = async (): Promise<string> => {
  const [link] = await w1.ipJson<{ linkinfo?: { info_kind?: string } }[]>('-d', 'link', 'show', 'eth0');
  return link?.linkinfo?.info_kind ?? 'none';
};

test('macvlan on a WiFi uplink is ipvlan, which passes there, and says why', async () => {
  await apply(gateway, (version += 1), plant());
  expect(await kindOf()).toBe('ipvlan');
  for (const address of ['10.20.0.10', 'fd00:20::10', '10.20.0.32', '10.20.0.1']) {
    await until(`w1 to reach ${address}`, () => w1.reaches(address));
  }
  expect(await ap.reaches('10.20.0.31')).toBe(true);
  expect(await host.reaches('10.20.0.31')).toBe(true);
  const [network] = (await gateway.status()).networks;
  expect([network?.driver, network?.driver_reason]).toEqual([
    'macvlan',
    'ipvlan l2, since wlan1 is WiFi, where only its own MAC passes',
  ]);
});

test('the wire is told again and again where the workloads are', async () => {
  const capture = await Capture.start(lab, ap, 'wlan0', 'arp');
  // The three of the attach are long over.
  await until('a word that nobody asked for', () => /10\.20\.0\.32 .*tell 10\.20\.0\.32/.test(capture.text()), 40_000);
});

test('a DHCP server is not asked there, and what to do is said', async () => {
  await applyText(gateway, documentText((version += 1), { ...plant({ address: 'dhcp' }), workloads: {} }));
  await until('the word', async () =>
    /wlan1 is WiFi, where workloads have its MAC/.test((await gateway.status()).networks[0]?.problem ?? ''),
  );
});

test('with four addresses in each frame the access point takes other MACs, and macvlan is macvlan', async () => {
  await host.batch(['link set wlan1 down']);
  await host.exec('iw', 'dev', 'wlan1', 'set', '4addr', 'on');
  await host.batch(['link set wlan1 up']);
  await apply(gateway, (version += 1), plant());
  await until('macvlan', async () => (await kindOf()) === 'macvlan');
  expect((await gateway.status()).networks[0]?.driver_reason).toBeNull();
});
