import { machineLine } from '../machine.ts';
import { floorRow, LAB_TITLES, short, spread } from '../table.ts';
import type { CallFigure } from './calls.ts';
import type { Comparison } from './comparison.ts';
import { type Operation, OPERATIONS } from './operations.ts';
import { type AcrossReport, type AttachReport, TRAFFIC, type Traffic } from './report.ts';

const NAME = 24;
const SPREAD = 18;

const OPERATION_TITLES: Readonly<Record<Operation, string>> = {
  run: 'docker run -d, ms',
  rm: 'docker rm -f, ms',
  connect: 'network connect, ms',
  disconnect: 'network disconnect, ms',
};

const TRAFFIC_TITLES: Readonly<Record<Traffic, string>> = {
  rtt: 'round trip, µs',
  tcp1: 'TCP 1 stream, Gbit/s',
  udp64: '64-byte packets, k/s',
};

function row(title: string, { linkspan, docker, ratio }: Comparison): string {
  const cells = [linkspan, docker, ratio].map((figure) => spread(figure, short).padStart(SPREAD));
  return `${title.padEnd(NAME)}${cells.join('')}`;
}

const head = (title: string): string =>
  `${title.padEnd(NAME)}${['linkspan', 'docker', 'ratio'].map((side) => side.padStart(SPREAD)).join('')}`;

function callRow([call, { count, median, p99, max }]: readonly [string, CallFigure]): string {
  const cells = [short(median), short(p99), short(max), String(count)].map((cell) => cell.padStart(8));
  return `${call.padEnd(32)}${cells.join('')}`;
}

/** The dozen calls at the networks' making say nothing of their 99th percentile. */
const OFTEN = 20;

function acrossTable(across: AcrossReport): string[] {
  return [
    '',
    `Across sites, lab ${across.lab}:`,
    LAB_TITLES[across.lab],
    head('overlay'),
    row('first reply, ms', across.firstReply),
    ...TRAFFIC.map((metric) => row(TRAFFIC_TITLES[metric], across[metric])),
  ];
}

const LEGEND = [
  "linkspan: a network of Linkspan's driver; docker: of Docker's own, macvlan or",
  "overlay, by the same dockerd. ratio: linkspan to docker, of the rounds' own.",
  'calls: from their first byte to the first of the answer, at a relay between',
  'dockerd and the plugin, whose own work counts in, while a container is connected',
  'and disconnected without a pause.',
  "first reply: from docker run to the first answer to the other site's pings, one",
  'each 10 ms, by a container that asks for the MAC as often (the kernel: once a',
  'second); run at the swarm’s manager. TCP, packets: as scripts/bench datapath.',
];

/** The report for people, at most 80 columns wide. */
export function attachTable(report: AttachReport): string {
  const { gateway, machine, engine, rounds, seconds } = report;
  const turns = gateway.operations.run.linkspan.rounds.length;
  const calls = Object.entries(gateway.calls).filter(([, { count }]) => count >= OFTEN);
  return [
    `Attach, engine ${engine}: medians (least..greatest) of ${turns} turns on a gateway,`,
    `of ${rounds} alternating rounds of ${seconds} s across sites`,
    machineLine(machine, report.congestion),
    '',
    head('macvlan'),
    ...OPERATIONS.map((operation) => row(OPERATION_TITLES[operation], gateway.operations[operation])),
    '',
    `${'calls, ms'.padEnd(32)}${['median', 'p99', 'max', 'count'].map((title) => title.padStart(8)).join('')}`,
    ...calls.map(callRow),
    ...report.across.flatMap(acrossTable),
    '',
    ...LEGEND,
    '',
    'What Linkspan is held to, and what this run found',
    ...report.floors.map((floor) => floorRow(floor)),
  ].join('\n');
}
