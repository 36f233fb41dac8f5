import type { Problem } from '../model/problem.ts';
import { parentClash } from '../model/network.ts';
import { problem } from './pointer.ts';
import type { RawIpvlan, RawMacvlan } from './raw.ts';
import type { Resolved, ResolvedEndpoint, ResolvedNetwork } from './resolved.ts';

/** What a parent's children must have in common, and what those without a MAC of their own cannot have. */
export const ipvlanChecks: readonly ((resolved: Resolved) => Problem[])[] = [
  oneKindPerParent,
  noLease,
  noMac,
  noRouter,
];

type OnParent = ResolvedNetwork & { readonly raw: RawMacvlan | RawIpvlan };

function onParents({ networks }: Resolved): readonly OnParent[] {
  return [...networks.values()].filter(
    (network): network is OnParent => network.raw.driver === 'macvlan' || network.raw.driver === 'ipvlan',
  );
}

function kindOf({ raw }: OnParent): Parameters<typeof parentClash>[0] {
  return raw.driver === 'ipvlan'
    ? { driver: 'ipvlan', mode: raw.mode ?? 'l2' }
    : { driver: 'macvlan', mode: raw.mode ?? 'bridge' };
}

/** Passthru is checked for the whole uplink, see `passthruAlone`. */
function oneKindPerParent(resolved: Resolved): Problem[] {
  const first = new Map<string, OnParent>();
  return onParents(resolved).flatMap((network) => {
    const earlier = first.get(network.segment);
    if (earlier === undefined) {
      first.set(network.segment, network);
      return [];
    }
    const clash = parentClash(kindOf(network), kindOf(earlier));
    if (clash === undefined || (clash === 'mode' && network.raw.driver === 'macvlan')) return [];
    const { driver, mode } = kindOf(earlier);
    const reason = `cannot differ from network ${earlier.name}'s on the same uplink and VLAN, which is ${clash === 'driver' ? driver : mode}: the kernel takes one; make them the same, or use another VLAN`;
    return [problem(`${network.path}/${clash}`, 'parent_busy', reason)];
  });
}

function isIpvlan({ raw }: ResolvedNetwork): boolean {
  return raw.driver === 'ipvlan';
}

function noLease(resolved: Resolved): Problem[] {
  return onParents(resolved)
    .filter((network) => isIpvlan(network) && network.raw.address === 'dhcp')
    .map(({ path }) =>
      problem(
        `${path}/address`,
        'address_required',
        'cannot be dhcp: on ipvlan all workloads have the uplink\'s MAC, by which a server knows its clients; set aside a "range", or write addresses',
      ),
    );
}

function noMac({ networks, endpoints }: Resolved): Problem[] {
  const without = (endpoint: ResolvedEndpoint): boolean => {
    const network = networks.get(endpoint.network);
    return network !== undefined && isIpvlan(network) && endpoint.mac !== undefined;
  };
  return endpoints
    .filter(without)
    .map(({ path, network }) =>
      problem(
        `${path}/mac`,
        'parent_busy',
        `cannot be set: ${network} is ipvlan, whose workloads have the uplink's MAC; leave it off, or use macvlan`,
      ),
    );
}

function noRouter(resolved: Resolved): Problem[] {
  return onParents(resolved)
    .filter(({ raw }) => raw.driver === 'ipvlan' && (raw.mode ?? 'l2') !== 'l2')
    .flatMap(({ gateways }) =>
      gateways.map(({ path }) =>
        problem(path, 'parent_busy', 'cannot be set: in mode l3 and l3s the gateway itself routes; leave it off'),
      ),
    );
}
