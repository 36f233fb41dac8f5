import type {
  EndpointStatus,
  GatewayEvent,
  GatewayStatus,
  NetworkStatus,
  PeerStatus,
  UplinkStatus,
} from '../model/status.ts';
import { html, type Html } from './html.ts';
import { duration, lines, table, toned, withRemark, withTone, type Cell } from './page-table.ts';

export function networks(list: readonly NetworkStatus[], limit: number): Html {
  return table({
    title: 'Networks',
    columns: ['Network', 'Driver', 'VNI', 'VLAN', 'MTU', 'Endpoints', 'Peers', 'State'],
    rows: list.map((one) => [
      one.name,
      withRemark(
        one.engine === null ? one.driver : `${one.driver}, ${one.engine}`,
        one.engine_reason ?? one.driver_reason,
      ),
      one.vni,
      one.outer_vlan === null ? one.vlan : `${one.vlan} in ${one.outer_vlan}`,
      one.mtu,
      one.endpoints,
      one.peers,
      one.problem === null ? toned('good', 'ok') : withTone('bad', 'failed', one.problem),
    ]),
    limit,
    more: '/v1/networks',
    empty: 'No network is configured yet: publish a desired document or run linkspan apply.',
  });
}

/** Left out where no network stands on an interface. */
export function uplinks(list: readonly UplinkStatus[], limit: number): Html {
  if (list.length === 0) return html``;
  const wireless = list.some((one) => one.wifi !== null);
  return table({
    title: 'Uplinks',
    columns: ['Uplink', 'Interface', 'MACs on the switch port', 'Limit', ...(wireless ? ['WiFi'] : []), 'State'],
    rows: list.map((one) => [
      one.name,
      one.interface,
      one.macs,
      one.mac_limit,
      ...(wireless ? [wifiCell(one)] : []),
      uplinkState(one),
    ]),
    limit,
    more: '/v1/status',
    empty: '',
  });
}

/** What WiFi uplinks hear; left out where there is none. */
export function heard(list: readonly UplinkStatus[], limit: number): Html {
  const rows = list.flatMap(({ interface: device, wifi }) =>
    (wifi?.heard ?? []).map((one): readonly Cell[] => [
      device,
      one.ssid,
      `${one.signal_percent} %`,
      one.security || 'open',
    ]),
  );
  if (rows.length === 0) return html``;
  return table({
    title: 'WiFi networks heard',
    columns: ['Interface', 'Network', 'Signal', 'Security'],
    rows,
    limit,
    more: '/v1/status',
    empty: '',
  });
}

function wifiCell({ wifi }: UplinkStatus): Cell {
  if (wifi === null) return null;
  return wifi.signal_percent === null ? wifi.ssid : `${wifi.ssid}, ${wifi.signal_percent} %`;
}

const WIFI_TONES = { absent: 'warn', joining: 'warn', joined: 'good', failed: 'bad', lost: 'bad' } as const;

function uplinkState({ wifi, promiscuous, problem }: UplinkStatus): Cell {
  if (problem === null) return toned('good', promiscuous ? 'ok, promiscuous' : 'ok');
  if (wifi === null || wifi.problem !== problem) return withTone('warn', 'too many', problem);
  return withTone(WIFI_TONES[wifi.state], wifi.state, problem);
}

const ENDPOINT_TONES = { attached: 'good', waiting: 'warn', failed: 'bad' } as const;

export function endpoints(list: readonly EndpointStatus[], limit: number): Html {
  return table({
    title: 'Endpoints',
    columns: ['Workload', 'Network', 'Addresses', 'Published', 'MAC', 'Interface', 'Sandbox', 'State'],
    rows: list.map((one) => [
      one.workload,
      one.network,
      lines(one.addresses),
      lines(one.published),
      html`<span class="n">${one.mac}</span>`,
      one.interface,
      one.sandbox,
      withTone(ENDPOINT_TONES[one.state], one.state, one.problem),
    ]),
    limit,
    more: '/v1/endpoints',
    empty: 'No workload is attached.',
  });
}

const PEER_TONES = { up: 'good', suspect: 'warn', down: 'bad', static: 'good' } as const;

export function peers(list: readonly PeerStatus[], limit: number): Html {
  return table({
    title: 'Peers',
    columns: ['Gateway', 'VTEP', 'VNIs', 'Round trip', 'VXLAN', 'Path MTU', 'Last seen', 'State'],
    rows: list.map((one) => [
      one.gateway,
      one.vtep,
      one.vnis.join(', '),
      trip(one.rtt_ms),
      one.datapath === 'silent' ? toned('bad', 'silent') : trip(one.datapath_rtt_ms),
      one.path_mtu,
      one.last_seen_s === null ? null : `${duration(one.last_seen_s)} ago`,
      toned(PEER_TONES[one.state], one.state),
    ]),
    limit,
    more: '/v1/peers',
    empty: 'No other gateway is known.',
  });
}

function trip(ms: number | null): string | null {
  return ms === null ? null : `${ms.toFixed(1)} ms`;
}

/** Left out where no network has other sites. */
export function guards(list: readonly NetworkStatus[], limit: number): Html {
  const rows = list.flatMap(({ name, guards: own }): readonly (readonly Cell[])[] =>
    own === null
      ? []
      : [
          [
            name,
            own.profile.join(', '),
            [`DHCP ${own.dhcp}`, `RA ${own.ra}`, `loop ${own.loop}`].join(', '),
            `${own.bum_pps}/s`,
            lines(counted(own.dropped_in)),
            lines(counted(own.dropped_out)),
          ],
        ],
  );
  if (rows.length === 0) return html``;
  return table({
    title: 'Guards between sites',
    columns: ['Network', 'Profile', 'Guards', 'Broadcast limit', 'Dropped from other sites', 'Dropped towards them'],
    rows,
    limit,
    more: '/v1/networks',
    empty: '',
  });
}

function counted(counts: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(counts).map(([reason, frames]) => `${reason} ${frames}`);
}

export function drops(counts: GatewayStatus['drops'], limit: number): Html {
  const rows: readonly (readonly Cell[])[] = Object.entries(counts).filter(([, count]) => count > 0);
  if (rows.length === 0) return html``;
  return table({ title: 'Dropped frames', columns: ['Reason', 'Frames'], rows, limit, more: '/metrics', empty: '' });
}

const LEVEL_TONES = { info: 'good', warning: 'warn', error: 'bad' } as const;

export function latest(events: readonly GatewayEvent[], limit: number): Html {
  return table({
    title: 'Last events',
    columns: ['Event', '', '', 'Time'],
    rows: events
      .slice(-limit)
      .reverse()
      .map((event) => [
        event.message,
        event.level === 'info' ? null : toned(LEVEL_TONES[event.level], event.level),
        event.type,
        html`<span class="n">${event.time.slice(0, 19).replace('T', ' ')} UTC</span>`,
      ]),
    limit,
    more: '/v1/events?once=1',
    empty: 'Nothing has happened yet.',
  });
}
