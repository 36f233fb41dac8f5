import { GUARD_REASONS } from '../model/guards.ts';
import type { GatewayStatus, GuardStatus, PeerStatus } from '../model/status.ts';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];
type Metric = {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly samples: readonly Sample[];
};

/** The state in Prometheus' text format, version 0.0.4; every name begins with `linkspan_`. */
export function metrics(status: GatewayStatus): string {
  return [...gatewayMetrics(status), ...objectMetrics(status), ...datapathMetrics(status.datapath)]
    .filter((one) => one.samples.length > 0)
    .map(text)
    .join('');
}

function gatewayMetrics(status: GatewayStatus): readonly Metric[] {
  const { gateway, fleet, version, health, broker, trust, config, firmware } = status;
  return [
    gauge('build_info', 'What runs here; always 1.', [[{ version, gateway, fleet }, 1]]),
    gauge('up', 'The service answers; always 1.', single(1)),
    gauge('healthy', '1 while /healthz says ok.', single(health.ok ? 1 : 0)),
    gauge('ready', '1 while /readyz says ok.', single(health.ready ? 1 : 0)),
    gauge('broker_connected', '1 while the MQTT session is up.', single(broker.connected ? 1 : 0)),
    gauge('trust_info', 'How what gateways publish is believed; always 1.', [
      [{ policy: trust.policy, key: trust.key_id, enrolled: trust.enrolled ?? 'off' }, 1],
    ]),
    counter(
      'trust_refused_total',
      'Messages that are not signed as they should be, by reason; taken all the same where the policy is warn.',
      Object.entries(trust.refused_total).map(([reason, count]) => [{ reason }, count]),
    ),
    gauge('config_version', 'Version of the applied document, 0 for none.', [
      [{ state: config.state }, config.applied_version ?? 0],
    ]),
    gauge(
      'config_trial_seconds_remaining',
      'Seconds until the document on trial is taken back, unless it proves itself.',
      config.candidate?.seconds_left == null ? [] : single(config.candidate.seconds_left),
    ),
    gauge(
      'firmware_info',
      'The running firmware, and how far another one is; always 1.',
      firmware ? [[{ version: firmware.version, slot: firmware.slot, state: firmware.state }, 1]] : [],
    ),
    gauge('uptime_seconds', 'Seconds since the service started.', single(status.uptime_s)),
    gauge('process_resident_memory_bytes', 'Resident memory of the service.', single(process.memoryUsage.rss())),
  ];
}

function objectMetrics(status: GatewayStatus): readonly Metric[] {
  const { networks, uplinks, endpoints, peers, drops, suppressed_requests: suppressed } = status;
  return [
    gauge(
      'network_endpoints',
      'Endpoints of a network.',
      networks.map((one) => [{ network: one.name, driver: one.driver }, one.endpoints]),
    ),
    gauge(
      'network_peers',
      'Peers of a network.',
      networks.map((one) => [{ network: one.name, driver: one.driver }, one.peers]),
    ),
    gauge(
      'uplink_macs',
      'MAC addresses that the switch port behind an interface sees.',
      uplinks.map((one) => [{ interface: one.interface }, one.macs]),
    ),
    gauge(
      'uplink_mac_limit',
      'MAC addresses that the switch port behind an interface allows, by the document.',
      uplinks.flatMap((one) => (one.mac_limit === null ? [] : [[{ interface: one.interface }, one.mac_limit]])),
    ),
    ...peerMetrics(peers),
    gauge(
      'endpoint_attached',
      '1 while a wanted endpoint is attached.',
      endpoints.map((one) => [{ workload: one.workload, network: one.network }, one.state === 'attached' ? 1 : 0]),
    ),
    gauge(
      'loop_cut',
      '1 while a network is cut off from its VLAN, since a second way leads from there to another site.',
      networks.flatMap(({ name: network, guards }) =>
        guards === null || guards.loop === 'off' ? [] : [[{ network }, guards.loop === 'cut' ? 1 : 0]],
      ),
    ),
    counter(
      'guard_drops_total',
      'Frames kept from crossing between the sites of a network, by guard and direction.',
      networks.flatMap(({ name: network, guards }) => guardSamples(network, guards)),
    ),
    counter(
      'drops_total',
      'Frames dropped, by reason.',
      Object.entries(drops).map(([reason, count]) => [{ reason }, count]),
    ),
    counter(
      'suppressed_requests_total',
      'ARP requests and neighbour solicitations answered here instead of flooded to the other sites.',
      single(suppressed),
    ),
  ];
}

function peerMetrics(peers: readonly PeerStatus[]): readonly Metric[] {
  return [
    // Nothing probes a static VTEP, so nothing is said about it. A gateway may have several VTEPs: without that label
    // two samples of one series would make a scraper refuse the lot.
    gauge(
      'peer_up',
      '1 while a peer answers.',
      peers
        .filter((peer) => peer.state !== 'static')
        .map((peer) => [{ gateway: peer.gateway, vtep: peer.vtep }, peer.state === 'up' ? 1 : 0]),
    ),
    gauge(
      'peer_rtt_seconds',
      'Round trip of the probes to a peer over the underlay, mean.',
      peers.flatMap(({ gateway, vtep, rtt_ms: rtt }) => (rtt === null ? [] : [[{ gateway, vtep }, rtt / 1000]])),
    ),
    gauge(
      'peer_datapath_up',
      '1 while probes through VXLAN get to a peer and back, 0 while they are lost.',
      peers.flatMap(({ gateway, vtep, datapath }) =>
        datapath === null ? [] : [[{ gateway, vtep }, datapath === 'ok' ? 1 : 0]],
      ),
    ),
    gauge(
      'peer_datapath_rtt_seconds',
      'Round trip of the probes to a peer through VXLAN, mean.',
      peers.flatMap(({ gateway, vtep, datapath_rtt_ms: rtt }) =>
        rtt === null ? [] : [[{ gateway, vtep }, rtt / 1000]],
      ),
    ),
    gauge(
      'peer_path_mtu_bytes',
      'Largest IP packet of the underlay that the way to a peer passes.',
      peers.flatMap(({ gateway, vtep, path_mtu: mtu }) => (mtu === null ? [] : [[{ gateway, vtep }, mtu]])),
    ),
  ];
}

function guardSamples(network: string, guards: GuardStatus | null): readonly Sample[] {
  if (guards === null) return [];
  const ways = Object.entries({ in: guards.dropped_in, out: guards.dropped_out });
  return ways.flatMap(([direction, drops]) =>
    [...GUARD_REASONS, 'loop' as const].map((guard): Sample => [{ network, guard, direction }, drops[guard] ?? 0]),
  );
}

function datapathMetrics(datapath: GatewayStatus['datapath']): readonly Metric[] {
  if (datapath === null) return [];
  const { workers, batching, offload, sent_frames: sent, received_frames: received } = datapath;
  const labels = { workers, batching: batching ?? 'none', offload: offload ?? 'none' };
  return [
    gauge('datapath_info', 'How the user engine runs; always 1.', [[labels, 1]]),
    gauge('datapath_resident_memory_bytes', 'Resident memory of the datapath.', single(datapath.rss_bytes)),
    counter('datapath_frames_total', 'Frames carried by the user engine.', [
      [{ direction: 'sent' }, sent],
      [{ direction: 'received' }, received],
    ]),
    counter('datapath_bytes_total', 'Bytes of frames carried by the user engine.', [
      [{ direction: 'sent' }, datapath.sent_bytes],
      [{ direction: 'received' }, datapath.received_bytes],
    ]),
    gauge(
      'datapath_segments_per_write',
      'Received frames that go into a TAP at once.',
      datapath.segments_per_write === null ? [] : single(datapath.segments_per_write),
    ),
  ];
}

function counter(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: 'counter', help, samples };
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: 'gauge', help, samples };
}

function single(value: number): readonly Sample[] {
  return [[{}, value]];
}

function text({ name, type, help, samples }: Metric): string {
  const lines = samples.map(([labels, value]) => `linkspan_${name}${labelText(labels)} ${value}\n`);
  return `# HELP linkspan_${name} ${help}\n# TYPE linkspan_${name} ${type}\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value)}"`);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
