import type { Metric } from './measures.ts';
import type { Figure, LabReport, Report } from './report.ts';
import { element, line, text } from './svg.ts';
import { LAB_TITLES } from './table.ts';
import type { TopologyName } from './topologies/build.ts';
import { TOPOLOGIES } from './topologies/build.ts';

type Panel = {
  readonly metric: Metric;
  readonly title: string;
  readonly better: 'less' | 'more';
  readonly digits: number;
};

const PANELS: readonly Panel[] = [
  { metric: 'tcp1', title: 'TCP, 1 stream, Gbit/s', better: 'more', digits: 1 },
  { metric: 'tcp4', title: 'TCP, 4 streams, Gbit/s', better: 'more', digits: 1 },
  { metric: 'tcp1_cpu', title: 'Processor seconds per GB, 1 stream', better: 'less', digits: 1 },
  { metric: 'rtt', title: 'Round trip, µs', better: 'less', digits: 0 },
  { metric: 'at120_received', title: '64-byte packets, of 120 k/s offered', better: 'more', digits: 0 },
  { metric: 'udp64', title: '64-byte packets, of a flood, k/s', better: 'more', digits: 0 },
];

const COLUMNS = 3;
const WIDTH = 960;
const MARGIN = 32;
const GAP = 40;
const PANEL = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS;
const PLOT = 130;
const PANEL_HEIGHT = 216;
const LAB_HEIGHT = 44 + Math.ceil(PANELS.length / COLUMNS) * PANEL_HEIGHT;
const TOP = 128;
const BAR = 36;

const COLOURS: Readonly<Record<TopologyName, string>> = {
  underlay: '#c3c9d2',
  kernel: '#0f766e',
  user: '#2563eb',
  bridge: '#e0a458',
  tinc: '#b07aa1',
  ovs: '#9c6b4f',
};
const NAMES: Readonly<Record<TopologyName, string>> = {
  underlay: 'underlay, no tunnel',
  kernel: 'Linkspan, kernel engine',
  user: 'Linkspan, user engine',
  bridge: 'vxlan, bridge and veth (Docker overlay, flannel)',
  tinc: 'tinc 1.0, switch mode, no cipher',
  ovs: 'Open vSwitch in user space, vxlan',
};

type Scale = (value: number) => number;

function whisker(figure: Figure, middle: number, y: Scale): string {
  const [low, high] = [y(figure.min), y(figure.max)];
  const ends = [low, high].map((at) => line(middle - 4, at, middle + 4, at, '#334155'));
  return [line(middle, low, middle, high, '#334155'), ...ends].join('');
}

/** A bar from the base line up, with its value above and a whisker from the least to the greatest round. */
function bar(figure: Figure, fill: string, x: number, y: Scale, digits: number): string {
  const top = y(figure.median);
  const middle = x + BAR / 2;
  return [
    element('rect', { x, y: top, width: BAR, height: y(0) - top, rx: 2, fill }),
    whisker(figure, middle, y),
    text(middle, y(figure.max) - 6, figure.median.toFixed(digits), { 'text-anchor': 'middle', class: 'value' }),
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

function bars(lab: LabReport, { metric, digits }: Panel, left: number, base: number): string[] {
  const figures = lab.figures[metric] ?? {};
  const greatest = Math.max(...Object.values(figures).map(({ max }) => max));
  const y: Scale = (value) => base - (value / greatest) * PLOT;
  const step = (PANEL - BAR) / (TOPOLOGIES.length - 1);
  return TOPOLOGIES.flatMap((name, index) => {
    const figure = figures[name];
    return figure ? bar(figure, COLOURS[name], left + index * step, y, digits) : [];
  });
}

/** One metric's panel: a bar for each topology. */
function panel(lab: LabReport, index: number, top: number): string {
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

function labRows(lab: LabReport, index: number): string {
  const top = TOP + index * LAB_HEIGHT;
  const title = text(MARGIN, top + 10, `${lab.lab}: ${LAB_TITLES[lab.lab]}`, { class: 'lab' });
  return [title, ...PANELS.map((_, number) => panel(lab, number, top + 36))].join('\n');
}

function legend(): string {
  return TOPOLOGIES.map((name, index) => {
    const x = MARGIN + (index % COLUMNS) * (PANEL + GAP);
    const y = 84 + Math.floor(index / COLUMNS) * 20;
    const swatch = element('rect', { x, y: y - 10, width: 12, height: 12, rx: 2, fill: COLOURS[name] });
    return swatch + text(x + 18, y, NAMES[name], { class: 'small' });
  }).join('');
}

const STYLE = `text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1e293b }
.title { font-size: 20px; font-weight: 600 } .lab { font-size: 14px; font-weight: 600 } .panel { font-size: 13px }
.small { font-size: 12px; fill: #475569 } .value { font-size: 12px; font-weight: 600 }`;

/** The report as a drawing: two rows of panels for each lab, whiskers from the least to the greatest round. */
export function chart(report: Report): string {
  const { machine, labs, seconds } = report;
  const height = TOP + labs.length * LAB_HEIGHT;
  const rounds = labs[0]?.rounds.length ?? 0;
  const how = `median, least and greatest of ${rounds} alternating rounds of ${seconds} s; ${machine.cores} cores, Linux ${machine.kernel.split('-')[0]}, TCP ${report.congestion}; both gateways on one machine`;
  const parts = [
    element('style', {}, STYLE),
    element('rect', { width: WIDTH, height, fill: '#ffffff' }),
    text(MARGIN, 38, 'One layer-2 network across two gateways: how fast', { class: 'title' }),
    text(MARGIN, 58, how, { class: 'small' }),
    legend(),
    ...labs.map((lab, index) => labRows(lab, index)),
  ];
  const size = { width: WIDTH, height, viewBox: `0 0 ${WIDTH} ${height}` };
  return `${element('svg', { xmlns: 'http://www.w3.org/2000/svg', ...size, role: 'img' }, `\n${parts.join('\n')}\n`)}\n`;
}
