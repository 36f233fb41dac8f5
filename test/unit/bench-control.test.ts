import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { Aedes } from 'aedes';
import { controlChart } from '../bench/control/chart.ts';
import { controlFloors } from '../bench/control/floors.ts';
import { controlMarkdown } from '../bench/control/markdown.ts';
import { connectPacket, publishPacket, subscribePacket } from '../bench/control/packets.ts';
import { type ControlReport, type ControlRound, summarise } from '../bench/control/report.ts';
import { GATEWAYS_A_VNI, localOf, MACS, Shape, VNIS_EACH } from '../bench/control/shape.ts';
import { controlTable } from '../bench/control/table.ts';
import { VARIANTS } from '../bench/control/variant.ts';

const round = (over: Partial<ControlRound> = {}): ControlRound => ({
  coldStart: Array.from({ length: 1000 }, (_, n) => n + 1),
  view: [700, 800, 900],
  moves: [10, 20, 30],
  crashes: [40],
  returns: [50],
  broker: { cpu_s: 1, rss_mb: 20 },
  clients: { cpu_s: 3, rss_mb: 400 },
  ...over,
});

const machine = { cores: 2, cpu: 'AMD EPYC', kernel: '6.18.44', node: 'v24' };

function reportOf(
  fleets: ControlReport['fleets'],
  failures: readonly string[],
  floors: ControlReport['floors'],
): ControlReport {
  const idle = { quiet: 0, simulated: 0.125 };
  return { benchmark: 'control', taken: '', machine, mosquitto: '2.0.21', fleets, failures, idle, floors };
}

test.each([40, 50, 200, 1000, 2000])('of %s gateways each is in 4 VNIs, and each VNI has 40 of them', (gateways) => {
  const shape = new Shape(gateways);
  const places = new Map<number, number>();
  for (let index = 0; index < gateways; index += 1) {
    const vnis = shape.vnisOf(index);
    expect(new Set(vnis).size).toBe(VNIS_EACH);
    for (const vni of vnis) places.set(vni, (places.get(vni) ?? 0) + 1);
  }
  expect(new Set(places.values())).toEqual(new Set([GATEWAYS_A_VNI]));
  expect(shape.recordsFor(gateways - 1)).toBe(VNIS_EACH * (GATEWAYS_A_VNI - 1));
});

test('no MAC is at two places', () => {
  const shape = new Shape(200);
  const macs = Array.from({ length: 200 }, (_, index) => localOf(shape, index)).flatMap(({ networks }) =>
    networks.flatMap(({ vni, macs: list }) => list.map(({ m }) => `${vni} ${m}`)),
  );
  expect(new Set(macs).size).toBe(200 * VNIS_EACH * MACS);
});

test('percentiles are over the gateways, and medians of them over the rounds', () => {
  const rounds = [round(), round({ coldStart: [5000] }), round({ coldStart: [2000] })];
  const { coldStart } = summarise(1000, { tls: false, signed: false }, rounds);
  expect(coldStart.p99).toEqual({ median: 2000, min: 990, max: 5000 });
});

test('a floor counts where the fleet has its size, and the table is at most 80 columns wide', () => {
  const fleets = [50, 1000].map((gateways) =>
    summarise(gateways, { tls: true, signed: true }, [round({ coldStart: [3500] })]),
  );
  const idle = { quiet: 0, simulated: 0.125 };
  const attempts = fleets.map((report) => ({ gateways: report.gateways, variant: report.variant, report }));
  const floors = controlFloors(attempts, idle);
  expect(floors.filter(({ what }) => what.startsWith('cold')).map(({ lab, met }) => [lab, met])).toEqual([
    ['1000', false],
  ]);
  const report = {
    benchmark: 'control',
    taken: '',
    machine,
    mosquitto: '2.0.21',
    fleets,
    failures: [],
    idle,
    floors,
  } as const;
  const lines = controlTable(report).split('\n');
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test('a fleet that did not run to its end meets no floor, and the last line says how many are met', () => {
  const variant = { tls: false, signed: true };
  const idle = { quiet: 0, simulated: 0.1 };
  const floors = controlFloors([{ gateways: 1000, variant, report: undefined }], idle);
  expect(floors.map(({ what, met }) => [what, met])).toEqual([
    ['cold start, signed', null],
    ['move, signed', null],
    ['crash, signed', null],
    ['messages at rest, an hour', true],
  ]);
  const failures = ['1000 gateways, signed, round 1 of 1: no answer'];
  const lines = controlTable(reportOf([], failures, floors)).split('\n');
  expect(lines).toContain(failures[0]);
  expect(lines.at(-1)).toBe('1 of 4 floors met');
});

test('the chart has a bar in each panel for each fleet, and a line where there is a floor', () => {
  const fleets = [200, 1000].flatMap((gateways) => VARIANTS.map((variant) => summarise(gateways, variant, [round()])));
  const svg = controlChart(reportOf(fleets, [], []));
  expect(svg.match(/<rect [^>]*class="(plain|signed|tls|both)"/g)).toHaveLength(VARIANTS.length + 4 * fleets.length);
  // cold start of 1000, moves and crashes of both sizes, and the legend's
  expect(svg.match(/class="floor"/g)).toHaveLength(1 + 2 + 2 + 1);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

test('the figures for the documentation are one line for each fleet', () => {
  const fleets = [summarise(1000, { tls: true, signed: true }, [round()])];
  const [head = '', , line = ''] = controlMarkdown(reportOf(fleets, [], [])).split('\n');
  expect(line).toContain('| 1000 TLS+signed | 0.5, 1.0 s | 0.8, 0.9 s | 20, 30, 30 ms | 40, 40 ms |');
  expect(line.split('|')).toHaveLength(head.split('|').length);
});

test('the packets of a light client are what a broker takes them for', async () => {
  const broker = await Aedes.createBroker();
  const server = createServer((socket) => void broker.handle(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    const payload = Buffer.alloc(300, '{');
    socket.write(connectPacket('gw', { topic: 'will', payload }));
    const [client] = (await once(broker, 'clientReady')) as [{ readonly id: string; readonly will: object }];
    expect(client).toMatchObject({ id: 'gw', clean: true, will: { topic: 'will', payload, qos: 1, retain: true } });
    socket.write(subscribePacket(7, ['a/#', 'b']));
    expect((await once(broker, 'subscribe'))[0]).toMatchObject([
      { topic: 'a/#', qos: 0 },
      { topic: 'b', qos: 0 },
    ]);
    const published = new Promise((resolve) => void broker.on('publish', (packet, by) => by && resolve(packet)));
    socket.write(publishPacket(8, { topic: 'c', payload }));
    expect(await published).toMatchObject({ topic: 'c', payload, qos: 1, retain: true });
  } finally {
    socket.destroy();
    server.close();
    await new Promise<void>((resolve) => broker.close(resolve));
  }
});
