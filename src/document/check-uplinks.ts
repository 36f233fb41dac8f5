import type { Problem } from '../model/problem.ts';
import { clashes } from './clashes.ts';
import { pointer, problem } from './pointer.ts';
import { placeOf } from './resolved.ts';
import type { CheckContext, Resolved, ResolvedNetwork } from './resolved.ts';

// What stands on the uplinks: that they are there, and that no two networks want the same place on one.

export function missingInterface({ document }: Resolved, { interfaces }: CheckContext): Problem[] {
  if (!interfaces) return [];
  return Object.entries(document.spec.uplinks ?? {})
    .filter(([, uplink]) => !interfaces.has(uplink.interface))
    .map(([name, uplink]) =>
      problem(
        pointer('spec', 'uplinks', name, 'interface'),
        'missing_interface',
        `names ${uplink.interface}, which this gateway does not have; connect it or name another`,
      ),
    );
}

export function sharedUplinkInterface({ document }: Resolved): Problem[] {
  return clashes(
    Object.entries(document.spec.uplinks ?? {}),
    ([, uplink]) => uplink.interface,
    ([name, uplink], [earlier]) =>
      problem(
        pointer('spec', 'uplinks', name, 'interface'),
        'duplicate_interface',
        `names ${uplink.interface}, which is uplink ${earlier} already; keep one of the two uplinks`,
      ),
  );
}

/** IEEE 802.11 section 9.4.2.2 */
const SSID_BYTES_MAX = 32;

export function wifiNetwork({ document }: Resolved): Problem[] {
  return Object.entries(document.spec.uplinks ?? {}).flatMap(([name, { ssid, pskFile }]) => {
    const path = (field: string): string => pointer('spec', 'uplinks', name, field);
    if (ssid === undefined)
      return pskFile === undefined ? [] : [problem(path('pskFile'), 'schema', 'needs "ssid" beside it; add it')];
    const bytes = Buffer.byteLength(ssid);
    const reason = `has ${bytes} bytes as UTF-8, and an SSID at most ${SSID_BYTES_MAX}; correct it`;
    return bytes <= SSID_BYTES_MAX ? [] : [problem(path('ssid'), 'schema', reason)];
  });
}

export function missingUplink({ document, networks }: Resolved): Problem[] {
  const uplinks = new Set(Object.keys(document.spec.uplinks ?? {}));
  return [...networks.values()].flatMap((network) => {
    const uplink = placeOf(network.raw)?.uplink;
    if (uplink === undefined || uplinks.has(uplink)) return [];
    const path = uplinkPath(network);
    return [
      problem(path, 'missing_uplink', `names ${uplink}, which is not in spec.uplinks; add it there or correct it`),
    ];
  });
}

function uplinkPath({ path, raw }: ResolvedNetwork): string {
  return raw.driver === 'overlay' ? `${path}/stretch/uplink` : `${path}/uplink`;
}

export function duplicateVlan({ networks }: Resolved): Problem[] {
  return clashes(
    networks.values(),
    ({ raw, segment }) => (isShared(raw) ? undefined : `${raw.driver} ${segment}`),
    (network, earlier) =>
      problem(
        network.raw.driver === 'overlay' ? `${network.path}/stretch` : `${network.path}/vlan`,
        'duplicate_vlan',
        `is the VLAN of network ${earlier.name} on the same uplink; make them one network or use another VLAN`,
      ),
  );
}

/** An uplink's untagged frames are for any number of networks whose workloads hang on it, but for one bridge only. */
function isShared(raw: ResolvedNetwork['raw']): boolean {
  const place = placeOf(raw);
  return place === undefined || (place.vlan === undefined && raw.driver !== 'overlay');
}

/** A stretched VLAN's link is a port of a bridge, and the kernel lets a bridge's port have no children. */
export function stretchAlone({ networks }: Resolved): Problem[] {
  const standing = [...networks.values()].filter(({ raw }) => placeOf(raw) !== undefined && raw.driver !== 'overlay');
  return [...networks.values()].flatMap(({ path, raw, segment }) => {
    const other = raw.driver === 'overlay' ? standing.find((network) => network.segment === segment) : undefined;
    if (other === undefined) return [];
    const reason = `joins what network ${other.name} stands on (${segment}); move ${other.name}'s workloads to this network, or stretch another VLAN`;
    return [problem(`${path}/stretch`, 'parent_busy', reason)];
  });
}

function isPassthru({ raw }: ResolvedNetwork): boolean {
  return raw.driver === 'macvlan' && raw.mode === 'passthru';
}

/** A passthru child takes its whole parent (the kernel allows one), so nothing else can stand there. */
export function passthruAlone({ networks, endpoints }: Resolved): Problem[] {
  const passthru = [...networks.values()].filter(isPassthru);
  return [
    ...passthru.filter(({ raw }) => raw.driver === 'macvlan' && raw.shim === true).map(passthruShim),
    ...sharedPassthruUplink([...networks.values()]),
    ...clashes(
      endpoints.filter(({ network }) => passthru.some(({ name }) => name === network)),
      ({ network }) => network,
      ({ path, network }, { workload }) =>
        problem(
          path,
          'parent_busy',
          `cannot join ${network}: mode passthru holds one workload, and ${workload} is it; move one`,
        ),
    ),
  ];
}

function passthruShim({ path }: ResolvedNetwork): Problem {
  return problem(
    `${path}/shim`,
    'parent_busy',
    'must be false: mode passthru leaves no room for the gateway; leave it off',
  );
}

function sharedPassthruUplink(networks: readonly ResolvedNetwork[]): Problem[] {
  const holders = new Map<string, ResolvedNetwork>();
  for (const network of networks.filter(isPassthru)) {
    const uplink = placeOf(network.raw)?.uplink;
    if (uplink !== undefined && !holders.has(uplink)) holders.set(uplink, network);
  }
  return networks.flatMap((network) => {
    const holder = holders.get(placeOf(network.raw)?.uplink ?? '');
    if (!holder || holder === network) return [];
    const reason = `is held whole by ${holder.name} (mode passthru); use another uplink or another mode`;
    return [problem(uplinkPath(network), 'parent_busy', reason)];
  });
}
