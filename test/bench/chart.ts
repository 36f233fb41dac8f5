import type { LabReport, Report } from './datapath.ts';
import type { Measure } from './measure.ts';
import { MEASURES } from './measure.ts';
import { LAB_TITLES } from './table.ts';
import type { TopologyName } from './topologies.ts';
import { TOPOLOGIES } from './topologies.ts';

const WIDTH = 960;
const MARGIN = 32;
const GAP = 28;
const PANEL = (WIDTH - 2 * MARGIN - (MEASURES.length - 1) * GAP) / MEASURES.length;
const PLOT = 150;
const LAB_HEIGHT = 262;
const TOP = 104;
const BAR = 46;

const COLOURS: Readonly<Record<TopologyName, string>> = { underlay: '#c3c9d2', kernel: '#0f766e', bridge: '#e0a458' };
const NAMES: Readonly<Record<TopologyName, string>> = {
  underlay: 'underlay, no tunnel',
  kernel: 'Linkspan: vxlan and macvlan',
  bridge: 'vxlan, bridge and veth (Docker overlay, flannel)',
};

type Attributes = Readonly<Record<string, string | number>>;

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Tenths of a pixel are enough. */
const round = (value: string | number): string | number =>
  typeof value === 'number' ? Math.round(value * 10) / 10 : value;

function element(name: string, attributes: Attributes, content = ''): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${round(value)}"`);
  return `<${name}${list.join('')}>${content}</${name}>`;
}

const text = (x: number, y: number, content: string, attributes: Attributes = {}): string =>
  element('text', { x, y, ...attributes }, escape(content));

const line = (x1: number, y1: number, x2: number, y2: number, colour: string): string =>
  element('line', { x1, y1, x2, y2, stroke: colour });

/** A bar from the base line up, with its value above and a whisker from the least to the greatest round. */
function bar(lab: LabReport, measure: Measure, topology: TopologyName, x: number, base: number, top: number): string {
  const figure = lab.figures[measure.key][topology];
  const y = (value: number): number => base - (value / top) * PLOT;
  const middle = x + BAR / 2;
  const digits = measure.unit === 'Gbit/s' ? 1 : 0;
  return [
    element('rect', {
      x,
      y: y(figure.median),
      width: BAR,
      height: base - y(figure.median),
      rx: 2,
      fill: COLOURS[topology],
    }),
    line(middle, y(figure.min), middle, y(figure.max), '#334155'),
    line(middle - 4, y(figure.min), middle + 4, y(figure.min), '#334155'),
    line(middle - 4, y(figure.max), middle + 4, y(figure.max), '#334155'),
    text(middle, y(figure.max) - 6, figure.median.toFixed(digits), { 'text-anchor': 'middle', class: 'value' }),
  ].join('');
}

/** One measure's panel: a bar for each topology. */
function panel(lab: LabReport, measure: Measure, left: number, base: number): string {
  const figures = lab.figures[measure.key];
  const top = Math.max(...TOPOLOGIES.map((name) => figures[name].max));
  const step = (PANEL - BAR) / (TOPOLOGIES.length - 1);
  const ratio = `Linkspan to bridge ×${figures.kernel.ratio_to_bridge.median.toFixed(2)}`;
  return [
    text(left, base - PLOT - 40, `${measure.title}, ${measure.unit}`, { class: 'panel' }),
    text(left, base - PLOT - 24, measure.better === 'less' ? 'less is better' : 'more is better', { class: 'small' }),
    ...TOPOLOGIES.map((name, index) => bar(lab, measure, name, left + index * step, base, top)),
    line(left, base, left + PANEL, base, '#94a3b8'),
    text(left, base + 17, ratio, { class: 'small' }),
  ].join('\n');
}

function labRow(lab: LabReport, index: number): string {
  const base = TOP + index * LAB_HEIGHT + LAB_HEIGHT - 36;
  const title = text(MARGIN, base - PLOT - 62, `${lab.lab}: ${LAB_TITLES[lab.lab]}`, { class: 'lab' });
  return [title, ...MEASURES.map((measure, column) => panel(lab, measure, MARGIN + column * (PANEL + GAP), base))].join(
    '\n',
  );
}

function legend(): string {
  const starts = [0, 170, 390];
  return TOPOLOGIES.map((name, index) => {
    const x = MARGIN + (starts[index] ?? 0);
    const swatch = element('rect', { x, y: 72, width: 12, height: 12, rx: 2, fill: COLOURS[name] });
    return swatch + text(x + 18, 82, NAMES[name], { class: 'small' });
  }).join('');
}

const STYLE = `text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1e293b }
.title { font-size: 20px; font-weight: 600 } .lab { font-size: 14px; font-weight: 600 } .panel { font-size: 13px }
.small { font-size: 12px; fill: #475569 } .value { font-size: 12px; font-weight: 600 }`;

/** The report as a drawing: a row for each lab, a panel for each measure, whiskers from the worst to the best round. */
export function chart(report: Report): string {
  const { machine, labs, seconds } = report;
  const height = TOP + labs.length * LAB_HEIGHT + 12;
  const rounds = labs[0]?.rounds.length ?? 0;
  const how = `median, least and greatest of ${rounds} alternating rounds of ${seconds} s; ${machine.cores} cores, Linux ${machine.kernel.split('-')[0]}, TCP ${report.congestion}; both gateways on one machine`;
  const parts = [
    element('style', {}, STYLE),
    element('rect', { width: WIDTH, height, fill: '#ffffff' }),
    text(MARGIN, 38, 'One layer-2 network across two gateways: how fast', { class: 'title' }),
    text(MARGIN, 58, how, { class: 'small' }),
    legend(),
    ...labs.map((lab, index) => labRow(lab, index)),
  ];
  const size = { width: WIDTH, height, viewBox: `0 0 ${WIDTH} ${height}` };
  return `${element('svg', { xmlns: 'http://www.w3.org/2000/svg', ...size, role: 'img' }, `\n${parts.join('\n')}\n`)}\n`;
}
