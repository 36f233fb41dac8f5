import type { Problem } from '../model/problem.ts';
import { addressChecks } from './check-addresses.ts';
import { publishedChecks } from './check-published.ts';
import {
  duplicateVlan,
  missingInterface,
  missingUplink,
  passthruAlone,
  sharedUplinkInterface,
  stretchAlone,
  wifiNetwork,
} from './check-uplinks.ts';
import { ipvlanChecks } from './check-ipvlan.ts';
import { clashes } from './clashes.ts';
import { problem } from './pointer.ts';
import type { CheckContext, Resolved, ResolvedEndpoint } from './resolved.ts';

type Check = (resolved: Resolved, context: CheckContext) => Problem[];

const CHECKS: readonly Check[] = [
  missingInterface,
  sharedUplinkInterface,
  wifiNetwork,
  missingUplink,
  duplicateVni,
  engineConflict,
  duplicateVlan,
  passthruAlone,
  stretchAlone,
  ...ipvlanChecks,
  missingNetwork,
  duplicateInterface,
  duplicateMac,
  ...addressChecks,
  ...publishedChecks,
  firmwareUrl,
];

/** Checks the parts of a document against each other and against the host; empty where all fit. */
export function crossCheck(resolved: Resolved, context: CheckContext): Problem[] {
  return CHECKS.flatMap((check) => check(resolved, context));
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

function firmwareUrl({ document }: Resolved): Problem[] {
  const { firmware } = document.spec;
  if (firmware === undefined || URL.canParse(firmware.url)) return [];
  return [
    problem('/spec/firmware/url', 'schema', 'is no URL; write one such as https://updates.example/linkspan.raucb'),
  ];
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
