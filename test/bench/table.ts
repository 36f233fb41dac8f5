import type { Floored } from './floors.ts';
import { machineLine } from './machine.ts';
import type { Metric } from './measures.ts';
import { LOADS } from './measures.ts';
import type { Figure, LabReport, Report } from './report.ts';
import type { Spread } from './statistics.ts';
import type { TopologyName } from './topologies/build.ts';
import type { LabName } from './topologies/ends.ts';

export const LAB_TITLES: Readonly<Record<LabName, string>> = {
  veth: 'underlay passes 64 KiB packets whole (veth as it is)',
  wire: 'underlay carries real 1500-byte packets (tunnel offloads off)',
};

const NAME = 9;
const SPREAD = 18;

/** Three digits: 0.86, 7.62, 15.7, 113. */
export function short(value: number): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return value.toFixed(digits);
}

const whole = (value: number): string => value.toFixed(0);

/** `median (least..greatest)` */
export function spread(figure: Spread | undefined, format: (value: number) => string): string {
  if (!figure) return '-';
  return `${format(figure.median)} (${format(figure.min)}..${format(figure.max)})`;
}

const median = (figure: Spread | undefined, format: (value: number) => string): string =>
  figure ? format(figure.median) : '-';

/** A topology's own ratio to the kernel engine; the kernel's to itself says nothing. */
const toKernel = (figure: Figure | undefined): string => median(figure?.ratio_to.kernel, short).padStart(6);

function speedRow({ figures }: LabReport, name: TopologyName): string {
  const of = (metric: Metric): Figure | undefined => figures[metric]?.[name];
  const speed = (metric: 'tcp1' | 'tcp4'): string =>
    `${spread(of(metric), short).padStart(SPREAD)}${toKernel(of(metric))}`;
  const cost = `${median(of('tcp1_cpu'), short).padStart(6)}${toKernel(of('tcp1_cpu'))}`;
  const memory = median(of('memory'), whole).padStart(4);
  return `${name.padEnd(NAME)}${median(of('rtt'), whole).padStart(5)}${speed('tcp1')}${speed('tcp4')}${cost}${memory}`;
}

function packetRow({ figures }: LabReport, name: TopologyName): string {
  const flood = spread(figures.udp64?.[name], whole).padStart(15);
  const loads = LOADS.map((load) => {
    const received = median(figures[`at${load}_received`]?.[name], whole);
    const lost = median(figures[`at${load}_lost`]?.[name], (value) => value.toFixed(1));
    return `${received.padStart(5)}${lost.padStart(6)}`;
  });
  return `${name.padEnd(NAME)}${flood}${loads.join('')}`;
}

const speedHead = (title: string): string => `${title.padStart(SPREAD)}${'/k'.padStart(6)}`;

function labTables(lab: LabReport): string[] {
  const loads = LOADS.map((load) => `${String(load).padStart(5)}${'lost%'.padStart(6)}`);
  return [
    '',
    `Lab ${lab.lab}: ${LAB_TITLES[lab.lab]}`,
    `${''.padEnd(NAME)}  rtt${speedHead('tcp1')}${speedHead('tcp4')}  s/GB    /k  MB`,
    ...lab.topologies.map((name) => speedRow(lab, name)),
    '',
    `${'udp64'.padEnd(NAME)}${'flood'.padStart(15)}${loads.join('')}`,
    ...lab.topologies.map((name) => packetRow(lab, name)),
  ];
}

/** What it is held to, what was found, and whether that will do. */
export function floorRow({ lab, what, bound, limit, unit, value, met }: Floored<string>): string {
  const wanted = `${bound} ${limit} ${unit}`.padEnd(17);
  const found = value === null ? 'not measured' : `${short(value)} ${unit}`.padEnd(10);
  const verdict = met === null ? '' : met ? 'met' : 'NOT met';
  return `${lab.padEnd(6)}${what.padEnd(32)}${wanted}${found} ${verdict}`.trimEnd();
}

const LEGEND = [
  'rtt: µs, median of 500 pings. tcp1, tcp4: Gbit/s in 1 and 4 streams.',
  's/GB: processor seconds of the whole machine per GB of tcp1.',
  'MB: resident memory of one datapath process, the larger of both gateways.',
  "/k: to the kernel engine, median of the rounds' own ratios.",
  'udp64: thousands of 64-byte datagrams received a second: of all that one program',
  'can send, and where so many are offered; lost% is of those really sent.',
  "underlay: gateway to gateway. kernel, user: Linkspan's engines. bridge: vxlan,",
  'bridge and veth (Docker overlay, flannel). tinc: 1.0, switch mode, no cipher.',
  'ovs: Open vSwitch in user space (netdev) with vxlan.',
];

/** The report for people, at most 80 columns wide. */
export function table(report: Report): string {
  const { machine, labs, seconds, floors } = report;
  const rounds = labs[0]?.rounds.length ?? 0;
  return [
    `Datapath: medians (least..greatest) of ${rounds} alternating rounds of ${seconds} s`,
    machineLine(machine, report.congestion),
    ...labs.flatMap((lab) => labTables(lab)),
    '',
    ...LEGEND,
    '',
    'What Linkspan is held to, and what this run found',
    ...floors.map((floor) => floorRow(floor)),
  ].join('\n');
}
