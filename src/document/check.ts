import type { Problem } from '../model/problem.ts';
import { addressChecks } from './check-addresses.ts';
import { publishedChecks } from './check-published.ts';
import { pointer, problem } from './pointer.ts';
import { placeOf } from './resolved.ts';
import type { Resolved, ResolvedEndpoint, ResolvedNetwork } from './resolved.ts';

/** What a document is checked against beside itself; `interfaces` is undefined where the host's are not known. */
export type CheckContext = { readonly interfaces: ReadonlySet<string> | undefined };

type Check = (resolved: Resolved, context: CheckContext) => Problem[];

const CHECKS: readonly Check[] = [
  missingInterface,
  sharedUplinkInterface,
  missingUplink,
  duplicateVni,
  engineConflict,
  duplicateVlan,
  passthruAlone,
  missingNetwork,
  duplicateInterface,
  duplicateMac,
  ...addressChecks,
  ...publishedChecks,
];

/** Checks the parts of a document against each other and against the host; empty where all fit. */
export function crossCheck(resolved: Resolved, context: CheckContext): Problem[] {
  return CHECKS.flatMap((check) => check(resolved, context));
}

/** One problem for each item whose key an earlier item has; an undefined key clashes with nothing. */
function clashes<T>(
  items: Iterable<T>,
  key: (item: T) => string | undefined,
  report: (item: T, earlier: T) => Problem,
): Problem[] {
  const seen = new Map<string, T>();
  const problems: Problem[] = [];
  for (const item of items) {
    const id = key(item);
    const earlier = id === undefined ? undefined : seen.get(id);
    if (earlier !== undefined) problems.push(report(item, earlier));
    else if (id !== undefined) seen.set(id, item);
  }
  return problems;
}

function missingInterface({ document }: Resolved, { interfaces }: CheckContext): Problem[] {
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

function sharedUplinkInterface({ document }: Resolved): Problem[] {
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

function missingUplink({ document, networks }: Resolved): Problem[] {
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

function duplicateVni({ networks }: Resolved): Problem[] {
  return clashes(
    networks.values(),
    ({ raw }) => (raw.driver === 'overlay' ? String(raw.vni) : undefined),
    (network, earlier) =>
      problem(`${network.path}/vni`, 'duplicate_vni', `is the VNI of network ${earlier.name} too; give each its own`),
  );
}

/** One UDP port has one owner, the kernel's vxlan or the datapath, so one engine carries all overlays of a gateway. */
function engineConflict({ networks }: Resolved): Problem[] {
  const asking = [...networks.values()].flatMap(({ name, path, raw }) =>
    raw.driver === 'overlay' && raw.engine !== undefined && raw.engine !== 'auto'
      ? [{ name, path, engine: raw.engine }]
      : [],
  );
  return asking
    .filter(({ engine }) => engine !== asking[0]?.engine)
    .map(({ path, engine }) => {
      const { name = '', engine: other = '' } = asking[0] ?? {};
      const reason = `asks for ${engine}, and network ${name} for ${other}; a gateway has one engine: give both the same, or one "auto"`;
      return problem(`${path}/engine`, 'engine_conflict', reason);
    });
}

function duplicateVlan({ networks }: Resolved): Problem[] {
  return clashes(
    networks.values(),
    ({ raw, segment }) => (placeOf(raw)?.vlan === undefined ? undefined : `${raw.driver} ${segment}`),
    (network, earlier) =>
      problem(
        network.raw.driver === 'overlay' ? `${network.path}/stretch/vlan` : `${network.path}/vlan`,
        'duplicate_vlan',
        `is the VLAN of network ${earlier.name} on the same uplink; make them one network or use another VLAN`,
      ),
  );
}

function isPassthru({ raw }: ResolvedNetwork): boolean {
  return raw.driver === 'macvlan' && raw.mode === 'passthru';
}

/** A passthru child takes its whole parent (the kernel allows one), so nothing else can stand there. */
function passthruAlone({ networks, endpoints }: Resolved): Problem[] {
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

function missingNetwork({ networks, endpoints }: Resolved): Problem[] {
  return endpoints
    .filter(({ network }) => !networks.has(network))
    .map(({ path, network }) =>
      problem(path, 'missing_network', `names ${network}, which is not in spec.networks; add it there or correct it`),
    );
}

function duplicateInterface({ endpoints }: Resolved): Problem[] {
  return clashes(
    endpoints,
    (endpoint) => `${JSON.stringify(endpoint.sandbox)} ${endpoint.interface}`,
    (endpoint, earlier) =>
      problem(
        endpoint.raw.interface === undefined ? endpoint.path : `${endpoint.path}/interface`,
        'duplicate_interface',
        `is ${endpoint.interface}, as is ${earlier.workload} on ${earlier.network} in the same sandbox; give one another "interface"`,
      ),
  );
}

function duplicateMac({ networks, endpoints }: Resolved): Problem[] {
  const segment = (endpoint: ResolvedEndpoint) => networks.get(endpoint.network)?.segment;
  return clashes(
    endpoints.filter((endpoint) => segment(endpoint) !== undefined),
    (endpoint) => endpoint.mac && `${segment(endpoint)} ${endpoint.mac.value}`,
    (endpoint, earlier) =>
      problem(
        `${endpoint.path}/mac`,
        'duplicate_mac',
        `is the MAC of ${earlier.workload} on ${earlier.network} too; change one`,
      ),
  );
}
