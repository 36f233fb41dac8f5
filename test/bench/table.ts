import type { Figure, LabReport, Report } from './datapath.ts';
import type { Measure } from './measure.ts';
import { MEASURES } from './measure.ts';
import type { LabName } from './topologies.ts';
import { TOPOLOGIES } from './topologies.ts';

export const LAB_TITLES: Readonly<Record<LabName, string>> = {
  veth: 'underlay passes 64 KiB packets whole (veth as it is)',
  wire: 'underlay carries real 1500-byte packets (tunnel offloads off)',
};

const cell = (figure: Figure, digits: number): string =>
  `${figure.median.toFixed(digits)} (${figure.min.toFixed(digits)}..${figure.max.toFixed(digits)})`;

function row(measure: Measure, lab: LabReport): string {
  const figures = lab.figures[measure.key];
  const cells = TOPOLOGIES.map((name) => cell(figures[name], measure.unit === 'Gbit/s' ? 1 : 0).padEnd(18));
  const { ratio_to_bridge: toBridge, ratio_to_underlay: toUnderlay } = figures.kernel;
  const ratios = [toBridge, toUnderlay].map((ratio) => ratio.median.toFixed(2).padStart(5));
  const head = `${measure.key} ${measure.unit}`.padEnd(13);
  return `${head}${cells.join('')}${ratios.join('')}`;
}

function labTable(lab: LabReport): string[] {
  const names = TOPOLOGIES.map((name) => name.padEnd(18)).join('');
  return [
    '',
    `Lab ${lab.lab}: ${LAB_TITLES[lab.lab]}`,
    `${''.padEnd(13)}${names}  k/b  k/u`,
    ...MEASURES.map((measure) => row(measure, lab)),
  ];
}

/** The report for people, at most 80 columns wide. */
export function table(report: Report): string {
  const { machine, labs, seconds } = report;
  const rounds = labs[0]?.rounds.length ?? 0;
  return [
    `Datapath: medians (least..greatest) of ${rounds} alternating rounds of ${seconds} s`,
    `${machine.cores} cores, ${machine.cpu}, Linux ${machine.kernel.split('-')[0]}, TCP ${report.congestion}`,
    ...labs.flatMap((lab) => labTable(lab)),
    '',
    "underlay: gateway to gateway. kernel: Linkspan's kernel engine (vxlan, macvlan).",
    'bridge: vxlan, bridge and veth, as in Docker overlay networks and flannel.',
    "k/b, k/u: kernel to bridge and to underlay, median of the rounds' own ratios.",
    'udp64: datagrams of 64 bytes received; rtt: less is better.',
  ].join('\n');
}
