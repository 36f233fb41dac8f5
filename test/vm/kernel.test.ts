import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { vmLab } from '../lab/vm/lab.ts';

// What the kernel of a development machine may lack, and the tests of VLANs, WiFi, tunnels and bad lines stand on.

let lab: Lab;

beforeEach(async () => {
  lab = await vmLab();
});
afterEach(() => lab.close());

/** Two namespaces with a cable between their eth0, 10.10.0.1 and .2. */
async function pair(): Promise<readonly [Namespace, Namespace]> {
  const [a, b] = await Promise.all([lab.namespace('a'), lab.namespace('b')]);
  await lab.veth(a, 'eth0', b, 'eth0');
  await Promise.all([a.batch(['address add 10.10.0.1/24 dev eth0']), b.batch(['address add 10.10.0.2/24 dev eth0'])]);
  return [a, b];
}

test('8021q and a bridge with VLAN filtering: hosts of one subnet are apart by their VLAN alone', async () => {
  const [gateway, plant, h10, h20] = await Promise.all(['gw', 'sw', 'h10', 'h20'].map((name) => lab.namespace(name)));
  if (!gateway || !plant || !h10 || !h20) throw new Error('no namespaces');
  await plant.batch(['link add br0 type bridge vlan_filtering 1 vlan_default_pvid 0', 'link set br0 up']);
  for (const [host, port] of [
    [gateway, 'p-gw'],
    [h10, 'p10'],
    [h20, 'p20'],
  ] as const) {
    await lab.veth(plant, port, host, 'eth0');
    await plant.ip('link', 'set', port, 'master', 'br0');
  }
  const members = ['dev p-gw vid 10', 'dev p10 vid 10 pvid untagged', 'dev p20 vid 20 pvid untagged'];
  for (const member of members) await plant.exec('bridge', 'vlan', 'add', ...member.split(' '));
  await gateway.batch([
    'link add link eth0 name eth0.10 type vlan id 10',
    'link set eth0.10 up',
    'address add 10.10.0.1/24 dev eth0.10',
  ]);
  await h10.ip('address', 'add', '10.10.0.10/24', 'dev', 'eth0');
  await h20.ip('address', 'add', '10.10.0.20/24', 'dev', 'eth0');
  expect(await gateway.reaches('10.10.0.10', 5)).toBe(true);
  expect(await gateway.reaches('10.10.0.20')).toBe(false);
});

test('ipvlan: a child with its parent’s MAC is reached', async () => {
  const [a, b] = await pair();
  const child = await lab.namespace('child');
  await a.batch([`link add child0 link eth0 netns ${child.name} type ipvlan mode l2`]);
  await child.batch(['link set child0 up', 'address add 10.10.0.3/24 dev child0']);
  expect(await b.reaches('10.10.0.3', 5)).toBe(true);
  const [[parent], [link]] = await Promise.all([
    a.ipJson<{ address: string }[]>('link', 'show', 'eth0'),
    child.ipJson<{ address: string }[]>('link', 'show', 'child0'),
  ]);
  expect(link?.address).toBe(parent?.address);
});

test('wireguard: two ends reach each other by their tunnel', async () => {
  const [a, b] = await pair();
  const keys = await Promise.all([makeKeys('a'), makeKeys('b')]);
  for (const [index, end] of [a, b].entries()) {
    const [own, other] = index === 0 ? [keys[0], keys[1]] : [keys[1], keys[0]];
    await end.batch(['link add wg0 type wireguard', `address add 10.99.0.${index + 1}/24 dev wg0`, 'link set wg0 up']);
    const peer = ['peer', other.public, 'allowed-ips', '10.99.0.0/24', 'endpoint', `10.10.0.${2 - index}:51820`];
    await end.exec('wg', 'set', 'wg0', 'listen-port', '51820', 'private-key', own.file, ...peer);
  }
  expect(await a.reaches('10.99.0.2', 5)).toBe(true);
});

async function makeKeys(name: string): Promise<{ readonly file: string; readonly public: string }> {
  const file = `${await lab.folder()}/${name}`;
  const { stdout: secret } = await lab.run(['wg', 'genkey']);
  await lab.write(file, secret);
  return { file, public: (await lab.run(['wg', 'pubkey'], { input: secret })).stdout.trim() };
}

test('sch_netem: a line is as slow as it is told to be', async () => {
  const [a, b] = await pair();
  await b.exec('tc', 'qdisc', 'add', 'dev', 'eth0', 'root', 'netem', 'delay', '300ms');
  const { stdout } = await a.exec('ping', '-n', '-c', '2', '-i', '0.2', '10.10.0.2');
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
  expect(times).toHaveLength(2);
  expect(Math.min(...times)).toBeGreaterThan(295);
});

test('mac80211_hwsim: radios, each with its interface', async () => {
  lab.defer(() => lab.run(['modprobe', '-r', 'mac80211_hwsim']));
  await lab.run(['modprobe', 'mac80211_hwsim', 'radios=2']);
  const { stdout } = await lab.run(['iw', 'dev']);
  expect(stdout.match(/type managed/g)).toHaveLength(2);
});
