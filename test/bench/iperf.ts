import { run } from '../lab/exec.ts';
import type { Lab } from '../lab/lab.ts';
import type { LabProcess } from '../lab/process.ts';
import { until } from '../lab/wait.ts';
import type { Path } from './topologies/ends.ts';

/**
 * TCP's congestion control, unless another is asked for. BBR, which some hosts set, paces by its own estimates of a path
 * that has no wire: four streams were seen to wake the receiver for every segment, and the tunnel with the longest path
 * to be the fastest.
 */
export const CONGESTION = 'cubic';

type IperfReport = {
  readonly error?: string;
  readonly end: {
    readonly sum_received?: { readonly bits_per_second: number; readonly bytes: number };
    readonly sum?: { readonly seconds: number };
  };
};

/** Starts the server of a topology; ended at the lab's close. */
export async function serve(lab: Lab, path: Path): Promise<void> {
  const server = await lab.process(path.server, ['iperf3', '--server', '--forceflush']);
  await until(`iperf3 in ${path.server.name} to listen`, () => server.log().includes('Server listening'));
}

const clientOf = ({ address }: Path, seconds: number, args: readonly string[]): readonly string[] => [
  'iperf3',
  '--client',
  address,
  '--time',
  String(seconds),
  ...args,
];

/** One measurement of some seconds; throws where it fails. */
export async function iperf(path: Path, seconds: number, args: readonly string[]): Promise<IperfReport> {
  const argv = clientOf(path, seconds, ['--json', ...args]);
  const { code, stdout, stderr } = await run(path.client.inside(argv), { allowFailure: true });
  if (code !== 0) throw new Error(`iperf3 to ${path.address}: exit ${code} ${stderr}${stdout.slice(-500)}`);
  // It ends with 0 even where it could measure nothing.
  const report = JSON.parse(stdout) as IperfReport;
  if (report.error) throw new Error(`iperf3 to ${path.address}: ${report.error}`);
  return report;
}

/** TCP at full rate both ways at once, for some seconds or until the lab's close. What it says is an error, or its sum. */
export function flow(lab: Lab, path: Path, seconds: number, streams: number): Promise<LabProcess> {
  const how = ['--bidir', '--parallel', String(streams), '--congestion', CONGESTION, '--interval', '0'];
  return lab.process(path.client, clientOf(path, seconds, how));
}
