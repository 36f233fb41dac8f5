import type { FirmwareStatus } from './firmware.ts';
import type { Problem } from './problem.ts';

/** How far the gateway is with its document; the words of the `reported` topic. */
export type ConfigState = 'none' | 'applied' | 'applying' | 'confirming' | 'rejected' | 'rolled_back';

export type ConfigStatus = {
  readonly applied_version: number | null;
  readonly applied_hash: string | null;
  readonly state: ConfigState;
  readonly lkg_version: number | null;
  readonly errors: readonly Problem[];
  /** the document that runs and has to prove itself; null: none has to */
  readonly candidate: CandidateStatus | null;
};

export type CandidateStatus = {
  readonly version: number;
  readonly hash: string;
  /** until it is taken back; null: it has no end */
  readonly seconds_left: number | null;
  /** what it has not proven yet, in words */
  readonly waits_for: readonly string[];
};

/** How a document came. */
export type DocumentSource = 'mqtt' | 'cli' | 'rpc';

/** A document that is kept, newest first; the answer of `/v1/history`. */
export type DocumentRecord = {
  readonly version: number;
  readonly hash: string;
  /** `superseded`: another took its place before it was proven */
  readonly state: 'candidate' | 'applied' | 'rolled_back' | 'superseded';
  readonly running: boolean;
  /** null: it came with an earlier version of Linkspan */
  readonly source: DocumentSource | null;
  /** ISO 8601, UTC, by this gateway's clock */
  readonly received: string;
  /** when it was last applied or taken back */
  readonly settled: string | null;
  /** why it was taken back */
  readonly errors: readonly Problem[];
};

export type NetworkStatus = {
  readonly name: string;
  readonly driver: string;
  /** what it is instead, and why, where the host cannot do what was asked for */
  readonly driver_reason: string | null;
  /** of macvlan and ipvlan, as they are made */
  readonly mode: string | null;
  /** what that means for the workloads, in words */
  readonly mode_note: string | null;
  readonly vni: number | null;
  readonly vlan: number | null;
  /** the service provider's VLAN (802.1ad) that `vlan` is in */
  readonly outer_vlan: number | null;
  readonly engine: string | null;
  readonly engine_reason: string | null;
  readonly mtu: number | null;
  readonly endpoints: number;
  readonly peers: number;
  /** the host's own reach to the workloads: its interface, or why there is none */
  readonly shim: string | null;
  /** of an overlay network that stands; else null */
  readonly guards: GuardStatus | null;
  readonly problem: string | null;
};

/** What may cross between a network's sites, and by reason how many frames were kept from it. */
export type GuardStatus = {
  readonly profile: readonly string[];
  readonly dhcp: 'block' | 'allow';
  readonly ra: 'block' | 'allow';
  readonly bum_pps: number;
  /** `cut`: a second way between its sites was found, and this gateway has cut itself off from its VLAN */
  readonly loop: 'on' | 'off' | 'cut';
  /** from other sites */
  readonly dropped_in: Readonly<Record<string, number>>;
  /** towards other sites */
  readonly dropped_out: Readonly<Record<string, number>>;
};

/** An interface that networks of the site stand on, and what the switch port behind it sees. */
export type UplinkStatus = {
  readonly name: string;
  readonly interface: string;
  /** different MACs that the port sees, the gateway's own included; 0 while the interface is gone */
  readonly macs: number;
  /** as the document gives it */
  readonly mac_limit: number | null;
  /** it takes all frames, for whomever they are: more MACs stand on it than it can tell from others, or its own mode asks for it */
  readonly promiscuous: boolean;
  /** null: the document names no SSID for it */
  readonly wifi: WifiStatus | null;
  readonly problem: string | null;
};

/** A WiFi network that an interface hears, by the strongest of its access points. */
export type HeardNetwork = {
  readonly ssid: string;
  /** 0 to 100 */
  readonly signal_percent: number;
  /** as NetworkManager names it, `WPA2` say; empty: an open one */
  readonly security: string;
};

/** `absent`: its interface is gone; `lost`: it was joined, and will be again. */
export type WifiStatus = {
  readonly ssid: string;
  readonly state: 'absent' | 'joining' | 'joined' | 'failed' | 'lost';
  /** of the access point, 0 to 100; null while not joined */
  readonly signal_percent: number | null;
  /** at the last scan, the strongest first */
  readonly heard: readonly HeardNetwork[];
  readonly problem: string | null;
};

export type EndpointStatus = {
  readonly workload: string;
  readonly network: string;
  readonly interface: string;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly sandbox: string;
  /** its ports at the gateway that are in force, `[ADDRESS:]PORT:PORT/PROTOCOL` or ranges */
  readonly published: readonly string[];
  readonly state: 'attached' | 'waiting' | 'failed';
  readonly problem: string | null;
};

export type PeerStatus = {
  readonly gateway: string;
  readonly vtep: string;
  readonly vnis: readonly number[];
  readonly state: 'up' | 'suspect' | 'down' | 'static';
  readonly rtt_ms: number | null;
  readonly path_mtu: number | null;
  /** whether VXLAN gets there and back; null: not known, since it does not answer such probes, say */
  readonly datapath: 'ok' | 'silent' | null;
  /** the mean round trip through VXLAN */
  readonly datapath_rtt_ms: number | null;
  readonly last_seen_s: number | null;
  /** whether what it says is signed with its enrolled key; absent: nobody asks */
  readonly signed?: boolean;
};

/** What a gateway published, or somebody in its name, and was not believed: by the latest reason. */
export type TrustRefusal = {
  readonly gateway: string;
  readonly reason: 'unsigned' | 'malformed' | 'unknown' | 'revoked' | 'foreign' | 'forged' | 'vni' | 'stale' | 'full';
  readonly count: number;
  readonly last_s: number;
};

/** Whom this gateway believes, and how it is believed itself. */
export type TrustStatus = {
  readonly policy: 'require' | 'warn' | 'off';
  /** this gateway's own, as `linkspan fleet enrol --key` takes it */
  readonly public_key: string;
  readonly key_id: string;
  /** null: none is configured */
  readonly fleet_key_id: string | null;
  /** what the fleet's key says of this gateway, as far as it is known here; null: nobody asks */
  readonly enrolled: 'yes' | 'no' | 'revoked' | 'other_key' | null;
  /** those it may be in, such as `1-4,10110` or `all`; null: not enrolled */
  readonly vnis: string | null;
  readonly refused: readonly TrustRefusal[];
  /** by reason, since the start */
  readonly refused_total: Readonly<Record<string, number>>;
};

export type FdbEntry = {
  readonly network: string;
  readonly vni: number;
  readonly mac: string;
  readonly vtep: string;
  readonly gateway: string;
  readonly origin: 'peer' | 'static' | 'flood' | 'local';
};

export type GatewayEvent = {
  readonly id: number;
  /** ISO 8601, UTC */
  readonly time: string;
  readonly type: string;
  readonly level: 'info' | 'warning' | 'error';
  readonly message: string;
};

/** Takes an event, which is given its id and time there. */
export type EventSink = (type: string, level: GatewayEvent['level'], message: string) => void;

/** What the datapath process says of itself, where it carries networks of this gateway. */
export type DatapathSummary = {
  readonly workers: string;
  /** `io_uring`, or `none` where each frame is a system call of its own; null before it runs */
  readonly batching: string | null;
  /** what its TAPs pass unsegmented, the least of them; null where none is open */
  readonly offload: string | null;
  readonly rss_bytes: number;
  readonly sent_frames: number;
  readonly sent_bytes: number;
  readonly received_frames: number;
  readonly received_bytes: number;
  /** how many received frames go into a TAP at once, on average; null before the first */
  readonly segments_per_write: number | null;
};

export type Health = {
  readonly ok: boolean;
  readonly ready: boolean;
  /** the service is on its way up: what is there of networks, endpoints and peers is not known yet */
  readonly starting: boolean;
  readonly reasons: readonly string[];
};

/** What `/v1/status` answers. */
export type GatewayStatus = {
  readonly gateway: string;
  readonly fleet: string;
  readonly version: string;
  /** counts this gateway's starts; null: this one could not be stored yet */
  readonly epoch: number | null;
  readonly uptime_s: number;
  readonly health: Health;
  readonly broker: { readonly connected: boolean; readonly url: string };
  readonly trust: TrustStatus;
  readonly config: ConfigStatus;
  /** null: this machine's firmware is not Linkspan's to change */
  readonly firmware: FirmwareStatus | null;
  readonly networks: readonly NetworkStatus[];
  readonly uplinks: readonly UplinkStatus[];
  readonly endpoints: readonly EndpointStatus[];
  readonly peers: readonly PeerStatus[];
  /** by reason, those that happened; counted by the user engine and by all networks' guards */
  readonly drops: Readonly<Record<string, number>>;
  /** ARP requests and neighbour solicitations that were answered here instead of flooded to the other sites */
  readonly suppressed_requests: number;
  /** null: the kernel carries the networks, or the datapath does not answer */
  readonly datapath: DatapathSummary | null;
};
