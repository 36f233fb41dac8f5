import { short } from '../table.ts';
import type { ControlReport, FleetReport } from './report.ts';
import { variantName } from './variant.ts';

type Column = readonly [title: string, of: (fleet: FleetReport) => string];

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
const whole = (value: number): string => value.toFixed(0);
const cost = ({ cpu_s, rss_mb }: FleetReport['broker']): string =>
  `${short(cpu_s.median)} s, ${whole(rss_mb.median)} MB`;

const COLUMNS: readonly Column[] = [
  ['gateways', ({ gateways, variant }) => `${gateways} ${variantName(variant)}`],
  ['cold start p50, p99', ({ coldStart: { p50, p99 } }) => `${seconds(p50.median)}, ${seconds(p99.median)} s`],
  ['of ten whole ones', ({ view }) => `${seconds(view.p50.median)}, ${seconds(view.p99.median)} s`],
  [
    'move p50, p99, last',
    ({ moves: { p50, p99, last } }) => `${[p50, p99, last].map(({ median }) => whole(median)).join(', ')} ms`,
  ],
  ['crash p50, last', ({ crashes: { p50, last } }) => `${whole(p50.median)}, ${whole(last.median)} ms`],
  ['return, slowest', ({ returns }) => `${whole(returns.last.median)} ms`],
  ['broker', ({ broker }) => cost(broker)],
  ['all gateways', ({ clients }) => cost(clients)],
];

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** The figures as docs/scale.md has them: a table in Markdown, and below it what was measured at rest and did not end. */
export function controlMarkdown({ fleets, idle, failures }: ControlReport): string {
  const { quiet, simulated } = idle;
  return [
    row(COLUMNS.map(([title]) => title)),
    row(COLUMNS.map(() => '---')),
    ...fleets.map((fleet) => row(COLUMNS.map(([, of]) => of(fleet)))),
    '',
    `At rest, messages an hour and gateway: ${short(quiet)}, and ${short(simulated)} over two simulated days.`,
    ...failures.map((failure) => `\nNot run to its end: ${failure}`),
    '',
  ].join('\n');
}
