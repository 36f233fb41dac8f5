import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { sendFrames } from '../../src/host/packet-socket.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { Capture } from './support/capture.ts';
import { type CellLab, cellLab, PLANT, PLC } from './support/cell-lab.ts';
import { apply, workload } from './support/documents.ts';
import { macOf, sctpFrame } from './support/frames.ts';
import { ask, serve } from './support/services.ts';

const TRANSPORTS = ['tcp', 'udp'] as const;

let cell: CellLab;
let host: Namespace;
let plc: Namespace;
let w1: Namespace;
let w2: Namespace;
let w3: Namespace;

beforeEach(async () => {
  cell = await cellLab();
  [w1, w2, w3] = cell.workloads;
  ({ gateway: host, plc } = cell.site);
});
afterEach(() => cell.lab.close());

/** Whoever can ask at a port of the gateway, where, and as whom w1 then sees them. */
const everywhere = (): readonly (readonly [who: string, from: Namespace, at: string, as: string])[] => [
  ['the plant', plc, PLANT[4], PLC[4]],
  ['the plant', plc, PLANT[6], PLC[6]],
  ['the host', host, PLANT[4], PLANT[4]],
  ['the host', host, PLANT[6], PLANT[6]],
  ['the host', host, '127.0.0.1', '172.30.0.1'],
  ['another network', w3, PLANT[4], '172.30.0.1'],
  ['another network', w3, PLANT[6], 'fd00:30::1'],
  ['another network', w3, '172.31.0.1', '172.30.0.1'],
  ['a neighbour', w2, PLANT[4], '172.30.0.1'],
  ['a neighbour', w2, PLANT[6], 'fd00:30::1'],
  ['itself', w1, PLANT[4], '172.30.0.1'],
  ['itself', w1, PLANT[6], 'fd00:30::1'],
];

test.each([
  ['in an open network', 1, {}],
  ['in an open network', 0, {}],
  ['where workloads are kept apart', 1, { icc: false }],
  ['where workloads are kept apart', 0, { icc: false }],
])('%s, with br_netfilter %i: a published port is reached from everywhere', async (_, filtered, network) => {
  for (const name of ['iptables', 'ip6tables']) await cell.sysctl(`bridge/bridge-nf-call-${name}`, filtered);
  await serve(cell.lab, w1, 'w1', 80);
  await apply(cell.gateway, 1, cell.cells(['8080:80', '8080:80/udp'], network));
  for (const transport of TRANSPORTS) {
    const answers = await Promise.all(everywhere().map(([, from, at]) => ask(from, transport, at, 8080)));
    const told = everywhere().map(([who, , at], n) => `${who} at ${at}: ${answers[n] ?? 'nothing'}`);
    expect(told).toEqual(everywhere().map(([who, , at, as]) => `${who} at ${at}: w1 sees ${as}`));
  }
});

/** The name of the service that answers. */
const whoAt = async (...from: Parameters<typeof ask>): Promise<string | undefined> =>
  (await ask(...from))?.replace(/ sees .*/, '');

test('a range leads port for port, and a host address alone to where it says', async () => {
  await Promise.all([8000, 8001].map((port) => serve(cell.lab, w1, `port ${port}`, port)));
  const publish = [
    '9000-9001:8000-8001',
    '198.51.100.1:7000:8000',
    '[fd00:20::1]:7001:8001/udp',
    '127.0.0.1:7002:8000',
  ];
  await apply(cell.gateway, 1, cell.cells(publish));
  expect([await whoAt(plc, 'tcp', PLANT[4], 9000), await whoAt(plc, 'tcp', PLANT[6], 9001)]).toEqual([
    'port 8000',
    'port 8001',
  ]);
  expect(await whoAt(plc, 'udp', PLANT[4], 9000)).toBeUndefined();
  expect([await whoAt(cell.wan, 'tcp', '198.51.100.1', 7000), await whoAt(plc, 'tcp', PLANT[4], 7000)]).toEqual([
    'port 8000',
    undefined,
  ]);
  expect([await whoAt(plc, 'udp', PLANT[6], 7001), await whoAt(plc, 'udp', PLANT[4], 7001)]).toEqual([
    'port 8001',
    undefined,
  ]);
  expect([await whoAt(host, 'tcp', '127.0.0.1', 7002), await whoAt(host, 'tcp', PLANT[4], 7002)]).toEqual([
    'port 8000',
    undefined,
  ]);
});

test('SCTP goes the same way', async () => {
  await apply(cell.gateway, 1, cell.cells(['8080:80/sctp']));
  // The packet is made by hand, without SCTP's checksum.
  await cell.sysctl('netfilter/nf_conntrack_checksum', 0);
  const capture = await Capture.start(cell.lab, w1, 'eth0', 'sctp');
  const frame = sctpFrame(await macOf(plc, 'eth0'), await macOf(host, 'lan0'), {
    from: PLC[4],
    to: PLANT[4],
    port: 8080,
  });
  sendFrames(plc.path, 'eth0', [frame]);
  await until('the packet', () => capture.text().includes(`${PLC[4]}.40000 > 172.30.0.31.80: sctp`));
});

test('a port follows its workload, a flow that never pauses too, and is free once nobody publishes it', async () => {
  await Promise.all([serve(cell.lab, w1, 'w1', 80), serve(cell.lab, w2, 'w2', 80)]);
  const steady = (): Promise<string | undefined> => ask(plc, 'udp', PLANT[4], 8080, { source: 5555, patience: 1000 });
  const former = await serve(cell.lab, host, 'the gateway', 8080, PLANT[4]);
  expect(await steady()).toBe(`the gateway sees ${PLC[4]}`);
  await former.stop();
  const { networks, workloads } = cell.cells(['8080:80', '8080:80/udp']);
  await apply(cell.gateway, 1, { networks: networks ?? {}, workloads: workloads ?? {} });
  expect([await steady(), await ask(plc, 'tcp', PLANT[4], 8080)]).toEqual(Array(2).fill(`w1 sees ${PLC[4]}`));
  const moved = { w2: workload(w2, { cell: { address: '172.30.0.99', publish: ['8080:80', '8080:80/udp'] } }) };
  await apply(cell.gateway, 2, { networks: networks ?? {}, workloads: moved });
  expect([await steady(), await ask(plc, 'tcp', PLANT[4], 8080)]).toEqual(Array(2).fill(`w2 sees ${PLC[4]}`));
  await apply(cell.gateway, 3, { networks: networks ?? {}, workloads: { w2: workload(w2, { cell: {} }) } });
  expect([await steady(), await ask(plc, 'tcp', PLANT[4], 8080, { patience: 1000 })]).toEqual([undefined, undefined]);
  await serve(cell.lab, host, 'the gateway', 8080, PLANT[4]);
  expect([await steady(), await ask(plc, 'tcp', PLANT[4], 8080)]).toEqual(Array(2).fill(`the gateway sees ${PLC[4]}`));
});

test('a service of the gateway keeps its port, and the workload gets it once that has ended', async () => {
  await serve(cell.lab, w1, 'w1', 80);
  const ssh = await serve(cell.lab, host, 'ssh', 22);
  await apply(cell.gateway, 1, cell.cells(['22:80', '23:80']));
  const endpoint = async () => (await cell.gateway.status()).endpoints.find(({ workload: name }) => name === 'w1');
  expect(await ask(plc, 'tcp', PLANT[4], 22)).toBe(`ssh sees ${PLC[4]}`);
  expect(await endpoint()).toMatchObject({
    state: 'attached',
    published: ['23:80/tcp'],
    problem: expect.stringContaining(`(${ssh.pid}) of this gateway listens on 0.0.0.0:22; use another port`),
  });
  await ssh.stop();
  await until('the workload to have the port', async () => (await endpoint())?.published.length === 2, 10_000);
  expect(await ask(plc, 'tcp', PLANT[4], 22)).toBe(`w1 sees ${PLC[4]}`);
});

test('a connection lives on while ports come and go around it', async () => {
  await serve(cell.lab, w1, 'w1', 80);
  const talk = `const s = require('node:net').connect(8080, '${PLANT[4]}', () => setInterval(() => s.write('x'), 200));
    s.on('data', () => process.stdout.write('.')); s.on('close', () => process.exit(1)); s.on('error', () => {});`;
  await apply(cell.gateway, 1, cell.cells(['8080:80']));
  const client = await cell.lab.process(plc, [process.execPath, '-e', talk]);
  await until('the connection', () => client.log().length > 2);
  for (const [version, publish] of [
    [2, ['8080:80', '8081:80']],
    [3, ['8081:80']],
  ] as const) {
    await apply(cell.gateway, version, cell.cells(publish));
    const before = client.log().length;
    await until('answers after the change', () => client.log().length > before + 4);
  }
  expect(client.running).toBe(true);
  expect(await ask(plc, 'tcp', PLANT[4], 8080, { patience: 1000 })).toBeUndefined();
});
