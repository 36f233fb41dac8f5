import type { NarrowPath } from '../datapath/paths.ts';
import type { DatapathNetwork } from '../datapath/state.ts';
import type { Problem } from '../model/problem.ts';

/** What to say where the way to a peer passes less than the network's MTU; of several ways, of the narrowest. Pure. */
export function narrowProblem(
  network: string,
  { mtu, peers }: DatapathNetwork,
  paths: readonly NarrowPath[],
): Problem | undefined {
  const found = peers.flatMap(({ vtep: { ip }, mtu: path }) => (path === undefined ? [] : [{ ip, mtu: path }]));
  const [narrowest] = [...found, ...paths]
    .filter((path) => path.mtu < mtu && peers.some(({ vtep }) => vtep.ip === path.ip))
    .toSorted((a, b) => a.mtu - b.mtu);
  return narrowest && { path: `/spec/networks/${network}`, code: 'path_mtu', message: told(network, narrowest) };
}

function told(network: string, { ip, mtu }: NarrowPath): string {
  const what = `network ${network}: the way to ${ip} passes packets of ${mtu} bytes`;
  return `${what}; TCP is told to send less, what is larger is dropped; set the network's mtu to ${mtu} at all sites`;
}
