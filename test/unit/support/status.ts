import type { FdbEntry, GatewayStatus, NetworkStatus, PeerStatus } from '../../../src/model/status.ts';

export const LINE1: NetworkStatus = {
  name: 'line1',
  driver: 'overlay',
  vni: 10_110,
  vlan: null,
  outer_vlan: null,
  engine: 'kernel',
  driver_reason: null,
  engine_reason: 'vxlan is there',
  mode: null,
  mode_note: null,
  mtu: 1450,
  endpoints: 1,
  peers: 1,
  shim: null,
  guards: {
    profile: ['default'],
    dhcp: 'block',
    ra: 'block',
    bum_pps: 200,
    loop: 'on',
    dropped_in: { dhcp: 3 },
    dropped_out: {},
  },
  problem: null,
};

export const PEER: PeerStatus = {
  gateway: 'gw-b',
  vtep: '198.51.100.2:4789',
  vnis: [10_110],
  state: 'up',
  rtt_ms: 1.25,
  path_mtu: 1500,
  datapath: 'ok',
  datapath_rtt_ms: 2.5,
  last_seen_s: 4,
};

export const FDB_ENTRY: FdbEntry = {
  network: 'line1',
  vni: 10_110,
  mac: '02:00:00:00:00:22',
  vtep: '198.51.100.2',
  gateway: 'gw-b',
  origin: 'peer',
};

/** What a healthy gateway on one overlay network with one peer says. */
export const HEALTHY: GatewayStatus = {
  gateway: 'gw-a',
  fleet: 'plant',
  version: '0.1.0',
  epoch: 3,
  uptime_s: 90_061,
  health: { ok: true, ready: true, starting: false, reasons: [] },
  broker: { connected: true, url: 'mqtt://198.51.100.1:1883' },
  trust: {
    policy: 'off',
    public_key: '39FueYFrCe5AE6xoPGjO1v9GT1y6xWExKfmxcK-oCrU',
    key_id: '3d6cb8f143b106ba',
    fleet_key_id: null,
    enrolled: null,
    vnis: null,
    refused: [],
    refused_total: {},
  },
  config: { applied_version: 12, applied_hash: 'ab', state: 'applied', lkg_version: 12, errors: [], candidate: null },
  firmware: null,
  networks: [LINE1],
  uplinks: [],
  endpoints: [],
  peers: [PEER],
  drops: { unknown_peer: 7 },
  suppressed_requests: 0,
  datapath: null,
};
