import type { AddressConflict, ProbedInterface } from '../../host/address-probe.ts';
import { familyOf } from '../../model/ip.ts';
import { parseMac } from '../../model/mac.ts';
import { type Endpoint, endpointKey, sandboxPath } from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import type { CycleView } from '../../reconcile/cycle.ts';
import { attachedLink } from '../../status/snapshot.ts';

/** A workload may give itself addresses without end; nobody asks about more than these. */
const ADDRESSES_MAX = 16;

/**
 * The workloads' interfaces on the plant's wire that are up, by their object and all that makes one another: one that
 * was made anew, or has other addresses, is asked about anew.
 */
export function wireInterfaces(view: CycleView): ReadonlyMap<string, ProbedInterface> {
  const isJoined = (name: string): boolean => view.intent.networks.get(name)?.stretch?.plant !== undefined;
  const onPlant = view.desired.networks.filter(({ driver, name }) => driver === 'macvlan' || isJoined(name));
  const plant = new Set(onPlant.map(({ name }) => name));
  return new Map(
    view.desired.endpoints
      .filter(({ network }) => plant.has(network))
      .flatMap((endpoint) => {
        const probed = interfaceOf(view, endpoint);
        return probed === undefined ? [] : [[keyOf(endpoint, probed), probed] as const];
      }),
  );
}

function interfaceOf(view: CycleView, endpoint: Endpoint): ProbedInterface | undefined {
  const namespace = sandboxPath(endpoint.sandbox);
  const inode = view.seen.sandboxes.get(namespace)?.inode;
  const link = attachedLink(view, endpoint);
  const mac = parseMac(link?.mac ?? '');
  if (inode === undefined || link === undefined || mac === undefined || !link.up) return undefined;
  const addresses = link.addresses.map((text) => text.split('/')[0] ?? '').slice(0, ADDRESSES_MAX);
  return addresses.length === 0 ? undefined : { namespace, inode, index: link.index, mac, addresses };
}

function keyOf(endpoint: Endpoint, { inode, index, mac, addresses }: ProbedInterface): string {
  return [endpointKey(endpoint), inode, index, mac, ...addresses].join(' ');
}

/** By object: workloads with an address that another machine on their wire has too. */
export function wireProblems(
  view: CycleView,
  conflicts: ReadonlyMap<string, readonly AddressConflict[]>,
): ReadonlyMap<string, Problem> {
  return new Map(
    view.desired.endpoints.flatMap((endpoint): (readonly [string, Problem])[] => {
      const probed = conflicts.size === 0 ? undefined : interfaceOf(view, endpoint);
      const [conflict] = (probed && conflicts.get(keyOf(endpoint, probed))) ?? [];
      return conflict === undefined ? [] : [[`endpoint/${endpointKey(endpoint)}`, problemOf(endpoint, conflict, view)]];
    }),
  );
}

function problemOf({ workload, network }: Endpoint, { address, mac }: AddressConflict, view: CycleView): Problem {
  const own = view.seen.links.find((link) => link.mac === mac);
  const who = own === undefined ? 'another machine' : `this gateway's own ${own.name}`;
  const what = `workload ${workload}: ${who} on the wire of network ${network} has its address ${address} too (MAC ${mac})`;
  return {
    path: `/spec/workloads/${workload}/networks/${network}/${familyOf(address) === 4 ? 'address' : 'address6'}`,
    code: 'duplicate_address',
    message: `${what}; give one of the two another address`,
  };
}
