import { COLOURS, COLUMNS, GAP, MARGIN, PANEL, PANEL_HEIGHT, PANELS, panel, WIDTH } from './panels.ts';
import type { LabReport, Report } from './report.ts';
import { element, text } from './svg.ts';
import { LAB_TITLES } from './table.ts';
import type { TopologyName } from './topologies/build.ts';
import { TOPOLOGIES } from './topologies/build.ts';

const LAB_HEIGHT = 44 + Math.ceil(PANELS.length / COLUMNS) * PANEL_HEIGHT;
const TOP = 128;

const NAMES: Readonly<Record<TopologyName, string>> = {
  underlay: 'underlay, no tunnel',
  kernel: 'Linkspan, kernel engine',
  user: 'Linkspan, user engine',
  bridge: 'vxlan, bridge, veth (Docker, flannel)',
  tinc: 'tinc 1.0, switch mode, no cipher',
  ovs: 'Open vSwitch in user space, vxlan',
};

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
