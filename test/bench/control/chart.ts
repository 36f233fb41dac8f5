import { element, text } from '../svg.ts';
import { COLD_START_MS, CRASH_MS, MOVE_MS } from './floors.ts';
import type { ControlReport, FleetReport } from './report.ts';
import { type Variant, VARIANTS, variantName } from './variant.ts';

type Panel = {
  readonly title: string;
  readonly of: (fleet: FleetReport) => number;
  /** what it may be at most, by the number of gateways */
  readonly limit: (gateways: number) => number | undefined;
};

const worst = {
  move: 'A MAC moves, until the last peer knows, ms',
  crash: 'A gateway is killed, until the last peer knows, ms',
};

const PANELS: readonly Panel[] = [
  {
    title: 'All start at once, until everyone knows everyone (p99), s',
    of: ({ coldStart }) => coldStart.p99.median / 1000,
    limit: (gateways) => msToS(COLD_START_MS.get(gateways)),
  },
  {
    title: 'Processor time of that start, for each gateway, ms',
    of: ({ clients, broker, gateways }) => ((clients.cpu_s.median + broker.cpu_s.median) / gateways) * 1000,
    limit: () => undefined,
  },
  { title: worst.move, of: ({ moves }) => moves.last.median, limit: () => MOVE_MS },
  { title: worst.crash, of: ({ crashes }) => crashes.last.median, limit: () => CRASH_MS },
];

const [COLUMNS, WIDTH, MARGIN, GAP] = [2, 960, 32, 48];
const PANEL = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS;
const [PLOT, PANEL_HEIGHT, TOP] = [150, 244, 112];
const [BAR, BETWEEN] = [19, 5];

const msToS = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);

/** Fixed for each variant: warm with signatures, cold without, darker with TLS. */
const CLASSES: readonly string[] = ['plain', 'signed', 'tls', 'both'];

const isSame = (a: Variant, b: Variant): boolean => a.tls === b.tls && a.signed === b.signed;

/** Two digits, so that neighbours do not touch: 0.45, 6.2, 98. */
const brief = (value: number): string => value.toFixed(value < 1 ? 2 : value < 10 ? 1 : 0);

type Scale = (value: number) => number;

function bar(value: number, kind: string, x: number, y: Scale): string {
  const top = y(value);
  return [
    element('rect', { x, y: top, width: BAR, height: Math.max(1, y(0) - top), rx: 2, class: kind }),
    text(x + BAR / 2, top - 5, brief(value), { 'text-anchor': 'middle', class: 'value' }),
  ].join('');
}

/** The bars of one size, and the line that none of them is to reach over. */
function group(fleets: readonly FleetReport[], gateways: number, shown: Panel, left: number, y: Scale): string {
  const width = VARIANTS.length * (BAR + BETWEEN) - BETWEEN;
  const bars = VARIANTS.map((variant, nth) => {
    const fleet = fleets.find((one) => one.gateways === gateways && isSame(one.variant, variant));
    return fleet ? bar(shown.of(fleet), CLASSES[nth] ?? '', left + nth * (BAR + BETWEEN), y) : '';
  });
  const limit = shown.limit(gateways);
  const at = limit === undefined ? 0 : y(limit);
  const floor =
    limit === undefined ? '' : element('line', { x1: left - 8, y1: at, x2: left + width + 8, y2: at, class: 'floor' });
  return [
    ...bars,
    floor,
    text(left + width / 2, y(0) + 17, `${gateways}`, { 'text-anchor': 'middle', class: 'small' }),
  ].join('');
}

function panel(fleets: readonly FleetReport[], sizes: readonly number[], shown: Panel, index: number): string {
  const left = MARGIN + (index % COLUMNS) * (PANEL + GAP);
  const base = TOP + Math.floor(index / COLUMNS) * PANEL_HEIGHT + PLOT + 32;
  const limits = sizes.flatMap((gateways) => shown.limit(gateways) ?? []);
  const greatest = Math.max(...fleets.map(shown.of), ...limits);
  const y: Scale = (value) => base - (value / (greatest || 1)) * PLOT;
  const step = PANEL / sizes.length;
  const width = VARIANTS.length * (BAR + BETWEEN) - BETWEEN;
  return [
    text(left, base - PLOT - 26, shown.title, { class: 'panel' }),
    ...sizes.map((gateways, nth) => group(fleets, gateways, shown, left + nth * step + (step - width) / 2, y)),
    element('line', { x1: left, y1: base, x2: left + PANEL, y2: base, class: 'base' }),
  ].join('\n');
}

function legend(): string {
  const swatches = VARIANTS.map((variant, nth) => {
    const x = MARGIN + nth * 120;
    return (
      element('rect', { x, y: 74, width: 12, height: 12, rx: 2, class: CLASSES[nth] ?? '' }) +
      text(x + 18, 84, variantName(variant), { class: 'small' })
    );
  });
  const x = MARGIN + VARIANTS.length * 120;
  const floor = element('line', { x1: x, y1: 80, x2: x + 24, y2: 80, class: 'floor' });
  return [...swatches, floor, text(x + 32, 84, 'goal: at most', { class: 'small' })].join('');
}

const STYLE = `text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1e293b }
.title { font-size: 20px; font-weight: 600 } .panel { font-size: 13px; font-weight: 600 }
.small { font-size: 12px; fill: #475569 } .value { font-size: 10px }
.paper { fill: #ffffff } .base { stroke: #94a3b8 } .floor { stroke: #dc2626; stroke-width: 1.5; stroke-dasharray: 5 3 }
.plain { fill: #93c5fd } .signed { fill: #fbbf7a } .tls { fill: #2563eb } .both { fill: #c2600c }
@media (prefers-color-scheme: dark) { text { fill: #e2e8f0 } .small { fill: #a3b1c6 } .paper { fill: #0f172a }
.base { stroke: #64748b } .floor { stroke: #f87171 } .plain { fill: #60a5fa } .signed { fill: #f5b971 } .tls { fill: #3b6fe0 } .both { fill: #d9741f } }`;

/** The report as a drawing: for each size of fleet a bar for each variant, medians of the rounds. */
export function controlChart({ fleets, machine, mosquitto }: ControlReport): string {
  const sizes = [...new Set(fleets.map(({ gateways }) => gateways))].toSorted((a, b) => a - b);
  const height = TOP + Math.ceil(PANELS.length / COLUMNS) * PANEL_HEIGHT;
  const rounds = fleets[0]?.rounds.length ?? 0;
  const how = `median of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}, by number of gateways; all of them and mosquitto ${mosquitto} on the same ${machine.cores} cores, Linux ${machine.kernel.split('-')[0]}`;
  const parts = [
    element('style', {}, STYLE),
    element('rect', { width: WIDTH, height, class: 'paper' }),
    text(MARGIN, 38, 'A fleet on one broker: how soon the gateways know', { class: 'title' }),
    text(MARGIN, 58, how, { class: 'small' }),
    legend(),
    ...PANELS.map((shown, index) => panel(fleets, sizes, shown, index)),
  ];
  const size = { width: WIDTH, height, viewBox: `0 0 ${WIDTH} ${height}` };
  return `${element('svg', { xmlns: 'http://www.w3.org/2000/svg', ...size, role: 'img' }, `\n${parts.join('\n')}\n`)}\n`;
}
