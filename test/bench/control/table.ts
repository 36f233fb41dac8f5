import type { Machine } from '../machine.ts';
import type { Spread } from '../statistics.ts';
import { floorRow, short } from '../table.ts';
import type { ControlReport, FleetReport, Times } from './report.ts';
import { variantName } from './variant.ts';

const FLEET = 16;
const CELL = 8;

type Column = readonly [title: string, of: (fleet: FleetReport) => Spread];

const times = (of: (fleet: FleetReport) => Times): readonly Column[] => [
  ['p50', (fleet) => of(fleet).p50],
  ['p99', (fleet) => of(fleet).p99],
  ['last', (fleet) => of(fleet).last],
];

const KNOWING = [...times(({ coldStart }) => coldStart), ...times(({ moves }) => moves)];
const GOING = [...times(({ crashes }) => crashes), ...times(({ returns }) => returns)];
const VIEW = times(({ view }) => view);
const COST: readonly Column[] = [
  ['s', ({ broker }) => broker.cpu_s],
  ['MB', ({ broker }) => broker.rss_mb],
  ['s', ({ clients }) => clients.cpu_s],
  ['MB', ({ clients }) => clients.rss_mb],
];

const cells = (texts: readonly string[]): string => texts.map((text) => text.padStart(CELL)).join('');

function tableOf(title: string, columns: readonly Column[], fleets: readonly FleetReport[]): string[] {
  const rows = fleets.map((fleet) => {
    const name = `${fleet.gateways} ${variantName(fleet.variant)}`.padEnd(FLEET);
    return name + cells(columns.map(([, of]) => short(of(fleet).median)));
  });
  return ['', title, ''.padEnd(FLEET) + cells(columns.map(([name]) => name)), ...rows];
}

const LEGEND = [
  'Each gateway is in 4 VNIs with 39 others, and has 10 MACs in each.',
  'cold start: all are started at once, until each has every MAC of its peers.',
  'move: a device comes to another gateway, until each member of the VNI has it',
  'there. crash: SIGKILL, until its peers know. return: the one that was killed',
  'starts with nothing kept, until it has every MAC of its peers.',
  'cold start of ten: only ten are whole, each a process; the others say and ask',
  'the same, and throw away what comes. No floor is judged by it.',
  'p50, p99, last: over the gateways that come to know, median of the rounds.',
  'processor and memory: from start until all know all, of all gateways together.',
];

const machineLine = ({ cores, cpu, kernel }: Machine, mosquitto: string): string =>
  `${cores} cores, ${cpu}, Linux ${kernel.split('-')[0]}, mosquitto ${mosquitto}`;

/** How many floors are met, alone on the last line. */
function verdict(floors: ControlReport['floors']): string {
  const met = floors.filter((floor) => floor.met === true).length;
  return `${met} of ${floors.length} floors met`;
}

/** The report for people, at most 80 columns wide. */
export function controlTable(report: ControlReport): string {
  const { fleets, failures, idle, machine, mosquitto, floors } = report;
  const rounds = fleets[0]?.rounds.length ?? 0;
  return [
    `Control plane: medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`,
    machineLine(machine, mosquitto),
    ...tableOf(
      `${'gateways'.padEnd(FLEET)}${'cold start, ms'.padStart(3 * CELL)}${'move, ms'.padStart(3 * CELL)}`,
      KNOWING,
      fleets,
    ),
    ...tableOf(
      `${'gateways'.padEnd(FLEET)}${'crash, ms'.padStart(3 * CELL)}${'return, ms'.padStart(3 * CELL)}`,
      GOING,
      fleets,
    ),
    ...tableOf(
      `${'gateways'.padEnd(FLEET)}${'broker'.padStart(2 * CELL)}${'all gateways'.padStart(2 * CELL)}`,
      COST,
      fleets,
    ),
    ...tableOf(`${'gateways'.padEnd(FLEET)}${'cold start of ten, ms'.padStart(3 * CELL)}`, VIEW, fleets),
    '',
    `At rest, messages an hour: ${short(idle.quiet)}, and ${short(idle.simulated)} over two simulated days.`,
    '',
    ...LEGEND,
    ...(failures.length > 0 ? ['', 'Not run to their end:', ...failures] : []),
    '',
    'What Linkspan is held to, and what this run found',
    ...floors.map((floor) => floorRow(floor)),
    verdict(floors),
  ].join('\n');
}
