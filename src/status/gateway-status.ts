import type { DatapathStatus } from '../datapath/status.ts';
import type { FirmwareStatus } from '../model/firmware.ts';
import type { Network } from '../model/network.ts';
import type { RemotesByVni } from '../model/peer.ts';
import type { ConfigStatus, GatewayStatus, Health, PeerStatus, TrustStatus, WifiStatus } from '../model/status.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import { datapathParts } from './datapath-summary.ts';
import { type GuardDrop, withGuards } from './guards.ts';
import { endpointStatuses, networkStatuses } from './snapshot.ts';
import { uplinkStatuses } from './uplinks.ts';

/** Longer than the regular cycle and its retries: older means that the loop has stopped turning. */
const CYCLE_AGE_MAX_MS = 150_000;

export type StatusParts = {
  readonly bootstrap: Bootstrap;
  readonly version: string;
  /** null: this start could not be stored yet */
  readonly epoch: number | null;
  readonly uptimeMs: number;
  /** the first cycle is still to end */
  readonly starting: boolean;
  /** since the last cycle that could read the kernel; undefined before the first */
  readonly cycleAgeMs: number | undefined;
  readonly broker: GatewayStatus['broker'];
  readonly trust: TrustStatus;
  readonly config: ConfigStatus;
  /** null: none that is Linkspan's to change */
  readonly firmware: FirmwareStatus | null;
  readonly view: CycleView | undefined;
  readonly remotes: RemotesByVni;
  /** by interface */
  readonly wifi: ReadonlyMap<string, WifiStatus>;
  readonly peers: readonly PeerStatus[];
  /** the latest answer of the datapath process, where there is one */
  readonly datapath: DatapathStatus | undefined;
  /** what the guards have dropped */
  readonly guards: readonly GuardDrop[];
  /** requests for neighbours that the kernel's engine has answered */
  readonly suppressed: number;
};

/** The whole state, put together from its parts. */
export function gatewayStatus(parts: StatusParts): GatewayStatus {
  const { bootstrap, view, remotes, guards } = parts;
  const { drops, suppressed, datapath } = datapathParts(view, parts.datapath);
  return {
    gateway: bootstrap.gateway,
    fleet: bootstrap.fleet,
    version: parts.version,
    epoch: parts.epoch,
    uptime_s: Math.floor(parts.uptimeMs / 1000),
    health: health(parts),
    broker: { connected: parts.broker.connected, url: withoutCredentials(parts.broker.url) },
    trust: parts.trust,
    config: parts.config,
    firmware: parts.firmware,
    networks: view ? networkStatuses(view, remotes, guards) : [],
    uplinks: view ? uplinkStatuses(view, parts.wifi) : [],
    endpoints: view ? endpointStatuses(view) : [],
    peers: [...parts.peers, ...staticPeers(view?.desired.networks ?? [])],
    drops: withGuards(drops, guards),
    suppressed_requests: suppressed + parts.suppressed,
    datapath,
  };
}

/** `ok`: the loop turns and nothing fails; `ready`: it has turned once. A broker that is away is no illness. */
function health({ bootstrap, epoch, starting, cycleAgeMs, view }: StatusParts): Health {
  const reasons: string[] = [];
  if (cycleAgeMs === undefined) reasons.push('the first look at the host is not done yet');
  else if (cycleAgeMs > CYCLE_AGE_MAX_MS) {
    reasons.push(`the host was last looked at ${Math.round(cycleAgeMs / 1000)} s ago; see the log`);
  }
  const turning = reasons.length === 0;
  if (epoch === null) {
    const loss = 'nothing is said to the broker until it is; free some space on its disk';
    reasons.push(`this start is not stored in ${bootstrap.state.path}: ${loss}`);
  }
  const failing = [...(view?.problems.values() ?? [])].filter((problem) => problem.code !== 'waiting');
  return {
    ok: reasons.length === 0 && failing.length === 0,
    ready: turning,
    starting,
    reasons: [...reasons, ...failing.map((problem) => problem.message)],
  };
}

function staticPeers(networks: readonly Network[]): readonly PeerStatus[] {
  const overlays = networks.flatMap((network) => (network.driver === 'overlay' ? [network] : []));
  const vteps = [...new Set(overlays.flatMap((network) => network.peers))];
  return vteps.map((vtep) => ({
    gateway: '',
    vtep,
    vnis: overlays.filter((network) => network.peers.includes(vtep)).map((network) => network.vni),
    state: 'static',
    rtt_ms: null,
    path_mtu: null,
    datapath: null,
    datapath_rtt_ms: null,
    last_seen_s: null,
  }));
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//');
}
