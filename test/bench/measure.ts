import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../lab/exec.ts';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { spreadOf } from './statistics.ts';
import type { Path } from './topologies.ts';

export type How = {
  /** of each measurement */
  readonly seconds: number;
  /**
   * TCP's congestion control. BBR, which some hosts set, paces by its own estimates of a path that has no wire: four
   * streams were seen to wake the receiver for every segment, and the tunnel with the longest path to be the fastest.
   */
  readonly congestion: string;
};

type IperfReport = {
  readonly error?: string;
  readonly end: {
    readonly sum_received?: { readonly bits_per_second: number };
    readonly sum: { readonly seconds: number };
  };
};

/** Starts the server of a topology; ended at the lab's close. */
export async function serve(lab: Lab, path: Path): Promise<void> {
  const server = await lab.process(path.server, ['iperf3', '--server', '--forceflush']);
  await until(`iperf3 in ${path.server.name} to listen`, () => server.log().includes('Server listening'));
}

async function iperf(path: Path, how: How, args: readonly string[]): Promise<IperfReport> {
  const argv = ['iperf3', '--client', path.address, '--time', String(how.seconds), '--json', ...args];
  const { code, stdout, stderr } = await run(path.client.inside(argv), { allowFailure: true });
  if (code !== 0) throw new Error(`iperf3 to ${path.address}: exit ${code} ${stderr}${stdout.slice(-500)}`);
  return JSON.parse(stdout) as IperfReport;
}

function gigabits(streams: number): (path: Path, how: How) => Promise<number> {
  return async (path, how) => {
    const report = await iperf(path, how, ['--congestion', how.congestion, '--parallel', String(streams)]);
    return (report.end.sum_received?.bits_per_second ?? 0) / 1e9;
  };
}

/** UDP datagrams that programs of the namespace have received so far, by the kernel's own count. */
async function datagramsReceived(namespace: Namespace): Promise<number> {
  const { stdout } = await namespace.exec('cat', '/proc/net/snmp');
  return Number(/^Udp: (\d+)/m.exec(stdout)?.[1]);
}

/** Thousands of 64-byte datagrams a second that arrive while the sender sends all it can. */
async function kilopackets(path: Path, how: How): Promise<number> {
  const before = await datagramsReceived(path.server);
  const report = await iperf(path, how, ['--udp', '--bitrate', '0', '--length', '64']);
  const received = (await datagramsReceived(path.server)) - before;
  // Lets queues and freed sockets of the flood drain before the next topology's turn.
  await sleep(100);
  return received / report.end.sum.seconds / 1000;
}

/** Median round trip of 500 pings, in microseconds. */
async function roundTrip(path: Path): Promise<number> {
  const { stdout } = await path.client.exec('ping', '-n', '-i', '0.002', '-c', '500', path.address);
  return spreadOf([...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1000)).median;
}

/** What is measured on each topology in each round. */
export const MEASURES = [
  { key: 'rtt', title: 'Round trip', unit: 'µs', better: 'less', digits: 0, take: roundTrip },
  { key: 'tcp1', title: 'TCP, 1 stream', unit: 'Gbit/s', better: 'more', digits: 2, take: gigabits(1) },
  { key: 'tcp4', title: 'TCP, 4 streams', unit: 'Gbit/s', better: 'more', digits: 2, take: gigabits(4) },
  { key: 'udp64', title: 'UDP, 64 bytes', unit: 'kpps', better: 'more', digits: 0, take: kilopackets },
] as const;

export type Measure = (typeof MEASURES)[number];
export type Sample = Readonly<Record<Measure['key'], number>>;
