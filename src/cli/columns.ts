import type { EndpointStatus, NetworkStatus, PeerStatus, UplinkStatus } from '../model/status.ts';
import type { Colour, Output } from './output.ts';
import type { Column } from './table.ts';

const COLOURS: Readonly<Record<string, Colour>> = {
  ok: 'green',
  up: 'green',
  attached: 'green',
  waiting: 'yellow',
  suspect: 'yellow',
  down: 'red',
  failed: 'red',
  'too many': 'yellow',
  joining: 'yellow',
  absent: 'yellow',
  lost: 'red',
};

const state = { title: 'STATE', colour: (word: string): Colour | undefined => COLOURS[word.split(':')[0] ?? ''] };
const titled = (...titles: readonly string[]): readonly Column[] => titles.map((title) => column(title));

/** The column of this title; a MAC stays in one piece. */
export function column(title: string): Column {
  return { title, whole: title === 'MAC' };
}

/** A number or a name that may be missing, as a cell. */
export function cell(value: string | number | null): string {
  return value === null ? '' : String(value);
}

export function networkTable(output: Output, networks: readonly NetworkStatus[]): void {
  const rows = networks.map((one) => [
    one.name,
    one.driver,
    cell(one.vni),
    cell(one.engine),
    cell(one.mtu),
    cell(one.endpoints),
    cell(one.peers),
    one.problem === null ? 'ok' : `failed: ${one.problem}`,
  ]);
  output.table([...titled('NETWORK', 'DRIVER', 'VNI', 'ENGINE', 'MTU', 'ENDPTS', 'PEERS'), state], rows, 'no networks');
}

export function uplinkTable(output: Output, uplinks: readonly UplinkStatus[]): void {
  const wireless = uplinks.some((one) => one.wifi !== null);
  const rows = uplinks.map((one) => [
    one.name,
    one.interface,
    cell(one.macs),
    cell(one.mac_limit),
    ...(wireless ? [wifiCell(one)] : []),
    one.problem === null
      ? one.promiscuous
        ? 'ok, promiscuous'
        : 'ok'
      : `${one.wifi?.problem === one.problem ? one.wifi.state : 'too many'}: ${one.problem}`,
  ]);
  const titles = ['UPLINK', 'IFACE', 'MACS', 'LIMIT', ...(wireless ? ['WIFI'] : [])];
  output.table([...titled(...titles), state], rows, 'no uplinks');
}

/** What each WiFi uplink hears that is not joined: so that who has misspelt an SSID sees it. Left out where all are. */
export function heardTable(output: Output, uplinks: readonly UplinkStatus[]): void {
  const rows = uplinks.flatMap(({ interface: device, wifi }) =>
    wifi === null || wifi.state === 'joined'
      ? []
      : wifi.heard.map((one) => [device, one.ssid, `${one.signal_percent} %`, one.security || 'open']),
  );
  if (rows.length === 0) return;
  output.table([...titled('IFACE'), column('HEARS'), ...titled('SIGNAL', 'SECURITY')], rows, '');
  output.line('');
}

function wifiCell({ wifi }: UplinkStatus): string {
  if (wifi === null) return '';
  return wifi.signal_percent === null ? wifi.ssid : `${wifi.ssid} ${wifi.signal_percent} %`;
}

export function endpointTable(output: Output, endpoints: readonly EndpointStatus[]): void {
  const publishing = endpoints.some((one) => one.published.length > 0);
  const rows = endpoints.map((one) => [
    one.workload,
    one.network,
    one.interface,
    one.mac,
    one.addresses.join(' '),
    ...(publishing ? [one.published.join(' ')] : []),
    one.problem === null ? one.state : `${one.state}: ${one.problem}`,
  ]);
  const titles = ['WORKLOAD', 'NETWORK', 'IFACE', 'MAC', 'ADDRESSES', ...(publishing ? ['PUBLISHED'] : [])];
  output.table([...titled(...titles), state], rows, 'no endpoints');
}

function tripCell(ms: number | null): string {
  return ms === null ? '' : `${ms.toFixed(1)} ms`;
}

export function peerTable(output: Output, peers: readonly PeerStatus[]): void {
  const rows = peers.map((one) => [
    one.gateway,
    one.vtep,
    one.vnis.join(' '),
    tripCell(one.rtt_ms),
    one.datapath === 'silent' ? 'silent' : tripCell(one.datapath_rtt_ms),
    cell(one.path_mtu),
    one.last_seen_s === null ? '' : `${Math.round(one.last_seen_s)} s`,
    one.state,
  ]);
  output.table([...titled('GATEWAY', 'VTEP', 'VNIS', 'RTT', 'VXLAN', 'PATHMTU', 'SEEN'), state], rows, 'no peers');
}
