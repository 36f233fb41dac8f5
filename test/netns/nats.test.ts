import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Lab } from '../lab/lab.ts';
import { type NatsNode, startNats } from '../lab/nats.ts';
import { PingStream } from '../lab/ping.ts';
import { until } from '../lab/wait.ts';
import { Wan } from '../lab/wan.ts';
import { LineGateway, learned } from './support/line.ts';
import { Members } from './support/members.ts';

const NODES = [101, 102, 103];

const lab = new Lab();
let wan: Wan;
let nodes: readonly NatsNode[];

beforeAll(async () => {
  wan = await Wan.create(lab, NODES);
  nodes = await startNats(
    lab,
    wan.centre,
    NODES.map((host) => Wan.address(host)),
  );
});
afterAll(() => lab.close());

/** The nodes, that of `first` first: where a gateway connects as long as it can. */
const urlFrom = (first: number): string =>
  [...nodes.slice(first), ...nodes.slice(0, first)].map(({ url }) => url).join(',');

test('sixty gateways that start at once all know each other', async () => {
  const plan = { urls: urlFrom(0), count: 60, networks: 4, of: 6, macs: 10 };
  const members = await Members.start(lab, wan.centre, plan);
  const ms = await members.whole(40_000);
  process.stdout.write(`nats: 60 gateways know each other after ${ms} ms: ${JSON.stringify(members.said())}\n`);
  expect(ms).toBeLessThan(15_000);
  await members.stop();
});

test('a node of the cluster is killed: frames go on, its gateway goes to another, what is published meanwhile arrives', async () => {
  const [a, b, c] = await Promise.all([
    LineGateway.start(lab, await wan.gateway('gw-a', 1), 'a', 1, urlFrom(0)),
    LineGateway.start(lab, await wan.gateway('gw-b', 2), 'b', 2, urlFrom(1)),
    LineGateway.start(lab, await wan.gateway('gw-c', 3), 'c', 3, urlFrom(2)),
  ]);
  const [wa, wb] = await Promise.all([a.add('1', '10.110.0.1'), b.add('1', '10.110.0.2'), c.add('1', '10.110.0.3')]);
  // what is sent to and fro later: VXLAN of a gateway not known yet is dropped
  const ways = [a, b, c].map((from, own) =>
    [1, 2, 3].filter((host) => host !== own + 1).map((host) => learned(from, `10.110.0.${host}`)),
  );
  await Promise.all(ways.flat());
  const streams = await Promise.all([PingStream.start(lab, wa, '10.110.0.2'), PingStream.start(lab, wb, '10.110.0.3')]);
  await nodes[0]?.kill9();
  const killed = performance.now();
  const since = (): number => Math.round(performance.now() - killed);
  await b.add('2', '10.110.0.20');
  await learned(a, '10.110.0.20');
  const arrived = since();
  await until('the gateway of the killed node to be on another', () => a.connected(), 30_000);
  process.stdout.write(
    `nats: node killed; a change known to its gateway after ${arrived} ms, connected ${since()} ms\n`,
  );
  // which one it is follows from which of them took part in the election
  expect(nodes.slice(1).map(({ url }) => url)).toContain((await a.gateway.status()).broker.url);
  for (const stream of streams) expect(await stream.stop()).toMatchObject({ lost: 0 });
});
