import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { run } from '../lab/exec.ts';
import type { Gateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import type { Site } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { Capture } from './support/capture.ts';
import { apply, applyText, documentText, workload } from './support/documents.ts';
import { expectBridgeMode, MAC, type MacvlanLab, macvlanLab } from './support/macvlan.ts';

let macvlan: MacvlanLab;
let lab: Lab;
let site: Site;
let gateway: Gateway;
let w1: Namespace;
let w2: Namespace;
let plant: MacvlanLab['plant'];

beforeEach(async () => {
  lab = new Lab();
  macvlan = await macvlanLab(lab);
  ({ site, gateway, w1, w2, plant } = macvlan);
});
afterEach(() => lab.close());

test('bridge mode: the plant, a sibling and the host reach the workload, and it reaches them', () =>
  expectBridgeMode(macvlan));

test('the host reaches the workload over IPv6 too', async () => {
  await apply(gateway, 1, plant());
  // A veth has no filter for further addresses.
  expect((await gateway.status()).uplinks).toMatchObject([{ promiscuous: true }]);
  await until('the host to reach it', () => site.gateway.reaches('fd00:20::31'), 5000);
});

test('without a shim the host does not reach the workload, and the state says so', async () => {
  await apply(gateway, 1, plant('bridge', { shim: false }));
  expect(await site.gateway.reaches('10.20.0.31')).toBe(false);
  expect(await site.plc.reaches('10.20.0.31')).toBe(true);
  expect((await gateway.status()).networks).toMatchObject([{ name: 'plant', shim: expect.stringMatching(/^off/) }]);
});

test.each(['vepa', 'private'])('%s mode: the plant is reached, the sibling is not', async (mode) => {
  await apply(gateway, 1, plant(mode));
  expect(await w1.reaches(site.plcAddress)).toBe(true);
  // vepa leaves it to the switch to send a frame back where it came from; this one does not.
  expect(await w1.reaches('10.20.0.32')).toBe(false);
  const [link] = await w1.ipJson<{ linkinfo: { info_data: { mode: string } } }[]>('-d', 'link', 'show', 'eth0');
  expect(link?.linkinfo.info_data.mode).toBe(mode);
  const [network] = (await gateway.status()).networks;
  expect(network).toMatchObject({ mode, mode_note: expect.stringMatching(mode === 'vepa' ? /hairpin/ : /never/) });
});

test('vepa mode with a switch that sends frames back: the sibling is reached', async () => {
  await apply(gateway, 1, plant('vepa'));
  await site.switch.exec('bridge', 'link', 'set', 'dev', 'gw', 'hairpin', 'on');
  expect(await w1.reaches('10.20.0.32', 2)).toBe(true);
});

test('passthru mode: one workload with the uplink’s own MAC', async () => {
  const capture = await Capture.start(lab, site.plc, 'eth0', 'arp');
  await apply(gateway, 1, plant('passthru'));
  expect(await w1.reaches(site.plcAddress, 2)).toBe(true);
  const [uplink] = await site.gateway.ipJson<{ address: string }[]>('link', 'show', 'lan0');
  const [link] = await w1.ipJson<{ address: string }[]>('link', 'show', 'eth0');
  expect(link?.address).toBe(uplink?.address);
  const announced = `${uplink?.address ?? ''} > ff:ff:ff:ff:ff:ff`;
  await until('the gratuitous ARP with that MAC', () => capture.text().includes(announced));
  expect(capture.text()).not.toContain(`${MAC} >`);
  const { networks, uplinks } = await gateway.status();
  expect(networks).toMatchObject([
    { mode_note: 'one workload only, with the MAC of lan0, which takes all frames (promiscuous)' },
  ]);
  expect(uplinks).toMatchObject([{ promiscuous: true, macs: 1 }]);
});

test('two interfaces of one name in one sandbox are refused; a foreign one is never replaced', async () => {
  const twice = { w1: workload(w1, { plant: {} }), w9: workload(w1, { plant: { address: '10.20.0.39' } }) };
  const refused = await applyText(gateway, documentText(1, { ...plant(), workloads: twice }));
  expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('/spec/workloads/w9') });
  await w1.batch(['link add eth0 type bridge']);
  await apply(gateway, 2, plant());
  const { endpoints } = await gateway.status();
  expect(endpoints.find(({ workload: name }) => name === 'w1')).toMatchObject({ state: 'waiting' });
  expect(endpoints.find(({ workload: name }) => name === 'w2')).toMatchObject({ state: 'attached' });
  const [link] = await w1.ipJson<{ linkinfo: { info_kind: string } }[]>('-d', 'link', 'show', 'eth0');
  expect(link?.linkinfo.info_kind).toBe('bridge');
  await w1.ip('link', 'del', 'eth0');
  await until('the workload to be attached', () => w1.reaches(site.plcAddress), 10_000);
});

test('an uplink that vanishes is waited for, and all comes back with it', async () => {
  await apply(gateway, 1, plant());
  await site.gateway.ip('link', 'del', 'lan0');
  await until('the service to say that it waits', async () => {
    const { networks, health } = await gateway.status();
    return health.ok && (networks[0]?.problem ?? '').includes('lan0');
  });
  // As a broker does at each connection: the document that runs is no wrong one, though its uplink is away.
  expect(await applyText(gateway, documentText(1, plant()))).toMatchObject({ code: 0 });
  expect((await gateway.status()).config.state).not.toBe('rejected');
  await lab.veth(site.gateway, 'lan0', site.switch, 'gw');
  await site.switch.ip('link', 'set', 'gw', 'master', 'br0');
  await site.gateway.ip('address', 'add', '10.20.0.1/24', 'dev', 'lan0');
  await until('the workload to be back on the wire', () => w1.reaches(site.plcAddress));
  await until('the host to reach it', () => site.gateway.reaches('10.20.0.31'));
  await until('the problem to be gone', async () => (await gateway.status()).networks[0]?.problem === null);
});

test('a sandbox that is deleted and made again is attached again within 10 s', async () => {
  await apply(gateway, 1, plant());
  await run(['ip', 'netns', 'delete', w1.name]);
  const waiting = async (): Promise<boolean> =>
    (await gateway.status()).endpoints.some((endpoint) => endpoint.workload === 'w1' && endpoint.state === 'waiting');
  await until('the workload to wait for its namespace', waiting);
  await run(['ip', 'netns', 'add', w1.name]);
  await until('it to be back', () => w1.reaches(site.plcAddress), 10_000);
  expect(await w2.reaches(site.plcAddress)).toBe(true);
});
