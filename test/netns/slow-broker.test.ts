import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Lab } from '../lab/lab.ts';
import { Mosquitto } from '../lab/mosquitto.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { Wan } from '../lab/wan.ts';
import { learned, LineGateway } from './support/line.ts';
import { Members } from './support/members.ts';

/** Others in the fleet, with their workloads: together some 90 KB, half a minute and more of the slow link. */
const [FLEET, MACS] = [60, 20];
/** as the members have them */
const OF_THE_FLEET = { fleet: 'plant', vni: 10_000 };
const BROKER = { slow: '192.0.2.1', fast: '192.0.2.5' };

const lab = new Lab();
let house: Namespace;
let broker: Mosquitto;
/** a comes to the broker by a link of 20 kbit/s, b by a fast one */
let a: LineGateway;
let b: LineGateway;

const say = (what: string): void => void process.stdout.write(`slow broker: ${what}\n`);

/** A link of its own to the broker. */
async function linkToBroker(gateway: Namespace, key: 'slow' | 'fast', own: string): Promise<void> {
  await lab.veth(gateway, 'up0', house, key);
  await house.ip('address', 'add', `${BROKER[key]}/30`, 'dev', key);
  await gateway.ip('address', 'add', `${own}/30`, 'dev', 'up0');
}

/** 20 kbit/s each way, with a queue that holds 4 s of it: as a bad radio's. */
async function throttle(at: Namespace, dev: string): Promise<void> {
  await at.exec('tc', 'qdisc', 'add', 'dev', dev, 'root', 'tbf', 'rate', '20kbit', 'burst', '1600', 'limit', '10000');
}

beforeAll(async () => {
  const wan = await Wan.create(lab, []);
  house = await lab.namespace('broker');
  const [atA, atB] = [await wan.gateway('gw-a', 201), await wan.gateway('gw-b', 202)];
  await linkToBroker(atA, 'slow', '192.0.2.2');
  await linkToBroker(atB, 'fast', '192.0.2.6');
  broker = await Mosquitto.start(lab, { namespace: house, address: '0.0.0.0' });
  await house.exec('ip', 'link', 'set', 'lo', 'up');
  const plan = { urls: 'mqtt://127.0.0.1:1883', count: FLEET, networks: 1, of: 1, macs: MACS };
  await (await Members.start(lab, house, plan)).whole(30_000);
  await throttle(atA, 'up0');
  await throttle(house, 'slow');
  b = await LineGateway.start(lab, atB, 'b', 202, `mqtt://${BROKER.fast}:1883`, OF_THE_FLEET);
  a = await LineGateway.start(lab, atA, 'a', 201, `mqtt://${BROKER.slow}:1883`, OF_THE_FLEET);
  await b.add('1', '10.110.0.202');
}, 120_000);
afterAll(() => lab.close());

/** How often the broker took a connection of a's. */
const connections = (): number => broker.log().split('New client connected from 192.0.2.2').length - 1;

test('over 20 kbit/s a gateway takes a whole fleet on one connection, and the fleet the last of its changes', async () => {
  const begun = performance.now();
  const since = (): number => Math.round(performance.now() - begun);
  await a.add('moving', '10.110.0.109');
  for (let n = 110; n < 130; n += 1) await a.move('moving', `10.110.0.${n}`);
  say(`after twenty changes the others know the last after ${await learned(b, '10.110.0.129', true, 60_000)} ms`);
  const peers = async (): Promise<number> => (await a.gateway.status()).peers.length;
  await until('the whole fleet', async () => (await peers()) === FLEET + 1, 240_000);
  say(`the fleet of ${FLEET} known after ${since()} ms`);
  await learned(a, '10.110.0.202');
  expect(await b.knows('10.110.0.128')).toBe(false);
  // the copies that repair asked for are on their way for a while yet
  await sleep(20_000);
  expect({ connections: connections(), connected: await a.connected() }).toEqual({ connections: 1, connected: true });
}, 330_000);
