import type { Metric } from './measures.ts';
import type { Figure, LabReport } from './report.ts';
import { element, line, text } from './svg.ts';
import { short } from './table.ts';
import type { TopologyName } from './topologies/build.ts';
import { TOPOLOGIES } from './topologies/build.ts';

type Panel = {
  readonly metric: Metric;
  readonly title: string;
  readonly better: 'less' | 'more';
};

export const PANELS: readonly Panel[] = [
  { metric: 'tcp1', title: 'TCP, 1 stream, Gbit/s', better: 'more' },
  { metric: 'tcp4', title: 'TCP, 4 streams, Gbit/s', better: 'more' },
  { metric: 'tcp1_cpu', title: 'Processor seconds per GB, 1 stream', better: 'less' },
  { metric: 'rtt', title: 'Round trip, µs', better: 'less' },
  { metric: 'at120_received', title: '64-byte packets, of 120 k/s offered', better: 'more' },
  { metric: 'udp64', title: '64-byte packets, of a flood, k/s', better: 'more' },
];

export const COLUMNS = 3;
export const WIDTH = 960;
export const MARGIN = 32;
export const GAP = 40;
export const PANEL = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS;
const PLOT = 130;
export const PANEL_HEIGHT = 216;
const BAR = 36;

export const COLOURS: Readonly<Record<TopologyName, string>> = {
  underlay: '#c3c9d2',
  kernel: '#0f766e',
  user: '#2563eb',
  bridge: '#e0a458',
  tinc: '#b07aa1',
  ovs: '#9c6b4f',
};

type Scale = (value: number) => number;

function whisker(figure: Figure, middle: number, y: Scale): string {
  const [low, high] = [y(figure.min), y(figure.max)];
  const ends = [low, high].map((at) => line(middle - 4, at, middle + 4, at, '#334155'));
  return [line(middle, low, middle, high, '#334155'), ...ends].join('');
}

/** A bar from the base line up, with its value above and a whisker from the least to the greatest round. */
function bar(figure: Figure, fill: string, x: number, y: Scale): string {
  const top = y(figure.median);
  const middle = x + BAR / 2;
  return [
    element('rect', { x, y: top, width: BAR, height: y(0) - top, rx: 2, fill }),
    whisker(figure, middle, y),
    text(middle, y(figure.max) - 6, short(figure.median), { 'text-anchor': 'middle', class: 'value' }),
  ].join('');
}

function ratios({ figures }: LabReport, { metric }: Panel): string {
  const user = figures[metric]?.user?.ratio_to.kernel;
  const kernel = figures[metric]?.kernel?.ratio_to.bridge;
  const said = [
    user && `user to kernel ×${user.median.toFixed(2)}`,
    kernel && `kernel to bridge ×${kernel.median.toFixed(2)}`,
  ];
  return said.filter(Boolean).join(', ');
}

function bars(lab: LabReport, { metric }: Panel, left: number, base: number): string[] {
  const figures = lab.figures[metric] ?? {};
  const greatest = Math.max(...Object.values(figures).map(({ max }) => max));
  const y: Scale = (value) => base - (value / (greatest || 1)) * PLOT;
  const step = (PANEL - BAR) / (TOPOLOGIES.length - 1);
  return TOPOLOGIES.flatMap((name, index) => {
    const figure = figures[name];
    return figure ? bar(figure, COLOURS[name], left + index * step, y) : [];
  });
}

/** One metric's panel: a bar for each topology. */
export function panel(lab: LabReport, index: number, top: number): string {
  const shown = PANELS[index];
  if (!shown) return '';
  const left = MARGIN + (index % COLUMNS) * (PANEL + GAP);
  const base = top + Math.floor(index / COLUMNS) * PANEL_HEIGHT + PLOT + 42;
  return [
    text(left, base - PLOT - 40, shown.title, { class: 'panel' }),
    text(left, base - PLOT - 24, `${shown.better} is better`, { class: 'small' }),
    ...bars(lab, shown, left, base),
    line(left, base, left + PANEL, base, '#94a3b8'),
    text(left, base + 17, ratios(lab, shown), { class: 'small' }),
  ].join('\n');
}
