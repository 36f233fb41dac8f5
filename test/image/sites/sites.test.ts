import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Mac } from '../../../src/model/mac.ts';
import { Appliance } from '../../lab/image/appliance.ts';
import { freePorts } from '../../lab/image/free-ports.ts';
import { builtImage } from '../../lab/image/image.ts';
import { Plc } from '../../lab/image/plc.ts';
import { PORTS } from '../../lab/image/qemu.ts';
import { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { containerReaches, importBusybox, joinNetwork, runContainer } from '../support/containers.ts';
import { APPLY_MS, bootstrap, type Office, openOffice } from '../support/office.ts';

// Two sites with a gateway each, out of the box; each has a PLC on VLAN 110 of its plant, and the WAN is a cable.

type Site = { readonly name: string; readonly gateway: Appliance; readonly plc: Plc };

const VLAN = 110;
const SUBNET = '10.20.0.0/24';
const FIRST_FRAME_S = 60;
/** Two gateways on two emulated processors each share this machine. */
const PATIENCE_MS = 480_000;
const lab = new Lab();
let office: Office;
let a: Site;
let b: Site;

const DOCUMENT = {
  v: 1,
  version: 1,
  spec: {
    uplinks: { lan: { interface: PORTS.plant } },
    networks: {
      line1: { driver: 'overlay', vni: 10_110, subnet: SUBNET, stretch: { uplink: 'lan', vlan: VLAN } },
    },
  },
};

beforeAll(async () => {
  office = await openOffice(lab);
  const [wanA = 0, wanB = 0] = await freePorts(2);
  a = await site('a', 1, { local: wanA, remote: wanB });
  b = await site('b', 2, { local: wanB, remote: wanA });
});
afterAll(() => lab.close());

async function site(key: string, number: number, wan: { local: number; remote: number }): Promise<Site> {
  const name = gatewayName(key);
  const [port = 0, device = 0] = await freePorts(2);
  const address = `198.51.100.${number}`;
  const provision = {
    ...bootstrap(name, office.url, { underlay: { address } }),
    'network/': '',
    'network/wan.nmconnection': wanConnection(address),
  };
  const plant = { local: port, remote: device };
  const gateway = await Appliance.unpack(lab, { name, image: await builtImage(), provision, wan, plant });
  const mac = `02:00:00:00:01:0${number}` as Mac;
  const cable = { local: device, remote: port };
  return { name, gateway, plc: await Plc.plugIn(lab, { mac, address: `10.20.0.${number}0`, vlan: VLAN, cable }) };
}

/** What NetworkManager needs to know of a WAN without DHCP. */
const wanConnection = (address: string): string => `[connection]
id=wan
type=ethernet
interface-name=${PORTS.wan}
[ipv4]
method=manual
address1=${address}/24
[ipv6]
method=disabled
`;

const both = <T>(each: (site: Site, number: 1 | 2) => Promise<T>): Promise<readonly [T, T]> =>
  Promise.all([each(a, 1), each(b, 2)]);

test('two gateways out of the box join two plants, as they are told over MQTT', async () => {
  await both(({ gateway }) => gateway.powerOn());
  await both(({ gateway }) => gateway.shellReady());
  await both(async ({ name, gateway }) => {
    await until(`the broker of ${name}`, async () => (await gateway.status()).broker.connected, PATIENCE_MS);
    await office.operator.apply(name, JSON.stringify(DOCUMENT), APPLY_MS);
  });
  await until('the PLCs to reach each other', () => a.plc.reaches('10.20.0.20'), PATIENCE_MS);
  expect(await b.plc.reaches('10.20.0.10', 5000)).toBe(true);
}, 1_200_000);

test('a container at one site reaches a container and the PLC at the other on the same network', async () => {
  await both(async ({ gateway }, number) => {
    await importBusybox(gateway);
    await joinNetwork(gateway, 'line1', SUBNET);
    await runContainer(gateway, 'app', '--network', 'line1', '--ip', `10.20.0.3${number}`);
  });
  await until(
    'the containers to reach each other',
    () => containerReaches(a.gateway, 'app', '10.20.0.32'),
    PATIENCE_MS,
  );
  expect(await containerReaches(b.gateway, 'app', '10.20.0.31')).toBe(true);
  expect(await containerReaches(a.gateway, 'app', '10.20.0.20')).toBe(true);
  expect(await b.plc.reaches('10.20.0.31', 5000)).toBe(true);
}, 1_200_000);

/** Seconds from the power-on of both to the first answer that came through the tunnel. */
async function firstFrame(): Promise<number> {
  await until('a frame through the tunnel', () => a.plc.reaches('10.20.0.20', 500), PATIENCE_MS);
  return Math.min(a.gateway.seconds(), b.gateway.seconds());
}

let firstFrameAt = Number.NaN;

test('after a power cut at both, frames go through the tunnel again, and containers reach each other', async () => {
  await both(({ gateway }) => gateway.powerCut());
  await sleep(1000);
  await both(({ gateway }) => gateway.powerOn());
  firstFrameAt = await firstFrame();
  await both(({ gateway }) => gateway.shellReady());
  await until('the containers', () => containerReaches(a.gateway, 'app', '10.20.0.32'), PATIENCE_MS);
}, 1_200_000);

test('with no broker, no DHCP, no internet and clocks in 1970 they forward after a cold start', async () => {
  await both(({ gateway }) => gateway.powerCut());
  await office.broker.stop();
  await both(({ gateway }) => gateway.powerOn({ clock: '1970-01-01', unplugged: ['internet'] }));
  await firstFrame();
  await both(({ gateway }) => gateway.shellReady());
  // The system's own clock is never before the image's date.
  expect(await a.gateway.sh('cat /sys/class/rtc/rtc0/date')).toBe('1970-01-01');
  await until('the containers', () => containerReaches(a.gateway, 'app', '10.20.0.32'), PATIENCE_MS);
}, 1_200_000);

test('the first frame went through the tunnel within 60 s of power-on', () => {
  console.info(`first frame ${firstFrameAt.toFixed(1)} s after power-on`);
  expect(firstFrameAt).toBeLessThan(FIRST_FRAME_S);
});
