import { DEFAULT_GUARDS, type Guards } from '../model/guards.ts';
import { familyOf, parseIp } from '../model/ip.ts';
import type { IpPrefix } from '../model/ip.ts';
import { deriveMac } from '../model/derived-mac.ts';
import type { Bum, DesiredState, Endpoint, Network, Sandbox, Uplink } from '../model/network.ts';
import { vlanOf } from '../model/vlan.ts';
import type { Vni } from '../model/vni.ts';
import type {
  RawBridge,
  RawDocument,
  RawGuards,
  RawIpvlan,
  RawMacvlan,
  RawOverlay,
  RawSandbox,
  RawUplink,
} from './raw.ts';
import { subnetFor } from './resolved.ts';
import type { Resolved, ResolvedEndpoint, ResolvedNetwork } from './resolved.ts';

/** The state that a document asks for. Call it only for a document that has passed every check. */
export function buildState(resolved: Resolved): DesiredState {
  const { firmware } = resolved.document.spec;
  return {
    uplinks: Object.entries(resolved.document.spec.uplinks ?? {}).map(([name, raw]) => buildUplink(name, raw)),
    networks: [...resolved.networks.values()].flatMap((network) => buildNetwork(network, resolved)),
    endpoints: resolved.endpoints.flatMap((endpoint) => buildEndpoint(endpoint, resolved)),
    ...(firmware && { firmware: { activate: 'manual', ...firmware } }),
  };
}

function buildUplink(name: string, raw: RawUplink): Uplink {
  const { macLimit, ssid, pskFile } = raw;
  return {
    name,
    interface: raw.interface,
    ...(macLimit !== undefined && { macLimit }),
    ...(ssid !== undefined && { wifi: { ssid, ...(pskFile !== undefined && { pskFile }) } }),
  };
}

type Common = Pick<Network, 'name' | 'subnets' | 'range' | 'gateways' | 'mtu' | 'internal'>;

function buildNetwork(network: ResolvedNetwork, resolved: Resolved): Network[] {
  const { raw } = network;
  const common: Common = {
    name: network.name,
    subnets: network.subnets.map(({ value }) => value),
    gateways: network.gateways.map(({ value }) => value),
    ...(network.range && { range: network.range.value }),
    ...(raw.mtu !== undefined && { mtu: raw.mtu }),
    ...(raw.internal === true && { internal: true }),
  };
  if (raw.driver === 'bridge') return [buildBridge(common, raw)];
  if (raw.driver === 'overlay') return [buildOverlay(common, raw, resolved)];
  return buildSite(common, raw, resolved);
}

function buildBridge(common: Common, { icc, masquerade }: RawBridge): Network {
  return {
    ...common,
    driver: 'bridge',
    ...(icc === false && { icc }),
    ...(masquerade === false && { masquerade }),
  };
}

function buildSite(common: Common, raw: RawMacvlan | RawIpvlan, { document }: Resolved): Network[] {
  const uplink = uplinkOf(raw.uplink, document);
  if (uplink === undefined) return [];
  const place = { ...common, uplink, ...vlanOf(raw) };
  if (raw.driver === 'ipvlan') return [{ ...place, driver: 'ipvlan', mode: raw.mode ?? 'l2', shim: raw.shim ?? true }];
  const mode = raw.mode ?? 'bridge';
  const [shim, dhcp] = [raw.shim ?? mode === 'bridge', raw.address === 'dhcp'];
  return [{ ...place, driver: 'macvlan', mode, shim, ...(dhcp && { dhcp }) }];
}

function uplinkOf(name: string, { spec }: RawDocument): Uplink | undefined {
  const raw = new Map(Object.entries(spec.uplinks ?? {})).get(name);
  return raw && buildUplink(name, raw);
}

function buildOverlay(common: Common, raw: RawOverlay, { document }: Resolved): Network {
  const uplink = raw.stretch && uplinkOf(raw.stretch.uplink, document);
  return {
    ...common,
    driver: 'overlay',
    vni: raw.vni as Vni,
    engine: raw.engine ?? 'auto',
    peers: [...new Set((raw.peers ?? []).map(canonicalIp))],
    bum: buildBum(raw.bum),
    ...(uplink && { stretch: { ...raw.stretch, uplink } }),
    ...(raw.guards && { guards: buildGuards(raw.guards) }),
  };
}

function buildGuards({ dhcp, ra, loop, bumPps, profile }: RawGuards): Guards {
  const { profiles } = DEFAULT_GUARDS;
  return {
    dhcp: dhcp ?? DEFAULT_GUARDS.dhcp,
    ra: ra ?? DEFAULT_GUARDS.ra,
    loop: loop ?? DEFAULT_GUARDS.loop,
    bumPps: bumPps ?? DEFAULT_GUARDS.bumPps,
    profiles: profile === undefined ? profiles : [profile].flat(),
  };
}

function buildBum(raw: RawOverlay['bum']): Bum {
  return typeof raw === 'object' ? { kind: 'multicast', group: canonicalIp(raw.multicast) } : { kind: 'replicate' };
}

function canonicalIp(text: string): string {
  return parseIp(text) ?? text;
}

function buildEndpoint(endpoint: ResolvedEndpoint, { networks }: Resolved): Endpoint[] {
  const network = networks.get(endpoint.network);
  const [sandbox] = buildSandbox(endpoint.sandbox);
  if (sandbox === undefined) return [];
  const { workload, aliases } = endpoint;
  const addresses = endpoint.addresses.map(({ value: { address, length } }): IpPrefix => {
    const family = familyOf(address);
    const subnet = network && subnetFor(network, address);
    return { family, address, length: length ?? subnet?.length ?? (family === 4 ? 32 : 128) };
  });
  const publish = endpoint.publish.flatMap(({ value }) => value);
  return [
    {
      workload,
      network: endpoint.network,
      sandbox,
      interface: endpoint.interface,
      mac: endpoint.mac?.value ?? deriveMac(endpoint.network, workload),
      addresses,
      ...(aliases.length > 0 && { aliases }),
      ...(publish.length > 0 && { publish }),
      ...(network && isLeased(endpoint, network) && { addressing: 'dhcp' as const }),
    },
  ];
}

/** Whether the plant's DHCP server is to say the address. */
function isLeased({ raw }: ResolvedEndpoint, { raw: network }: ResolvedNetwork): boolean {
  return raw.address === 'dhcp' || (raw.address === undefined && raw.address6 === undefined && 'address' in network);
}

function buildSandbox({ netns, pid, container }: RawSandbox): Sandbox[] {
  if (netns !== undefined) return [{ kind: 'netns', name: netns }];
  if (container !== undefined) return [{ kind: 'container', name: container }];
  return pid === undefined ? [] : [{ kind: 'pid', pid }];
}
