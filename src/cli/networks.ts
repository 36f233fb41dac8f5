import type { EndpointStatus, FdbEntry, GatewayStatus, NetworkStatus } from '../model/status.ts';
import { cell, column, endpointTable, networkTable } from './columns.ts';
import { CliError, EXIT, type ExitCode, usageError } from './exit.ts';
import type { Output } from './output.ts';
import { option, type Invocation, type Verb } from './verb.ts';

export const NETWORK_VERBS: readonly Verb[] = [
  {
    name: 'network ls',
    usage: '',
    summary: 'the networks',
    arity: [0, 0],
    run: async ({ client, output, json }) => {
      const networks = await client.get<readonly NetworkStatus[]>('/v1/networks');
      if (json) output.json(networks);
      else networkTable(output, networks);
      return EXIT.ok;
    },
  },
  { name: 'network show', usage: 'NAME', summary: 'one network and its endpoints', arity: [1, 1], run: showNetwork },
  {
    name: 'fdb',
    usage: '[NETWORK] [--clear MAC]',
    summary: 'which MAC is behind which VTEP; clear one found twice',
    arity: [0, 1],
    options: { clear: { type: 'string' } },
    run: (invocation) => {
      const mac = option(invocation.values, 'clear');
      return mac === undefined ? fdb(invocation) : clear(invocation, mac);
    },
  },
];

async function showNetwork({ client, output, json, positionals }: Invocation): Promise<ExitCode> {
  const [name = ''] = positionals;
  const status = await client.get<GatewayStatus>('/v1/status');
  const network = status.networks.find((one) => one.name === name);
  if (!network) throw new CliError(EXIT.notFound, `network/${name}: no such network; linkspan network ls lists them`);
  const endpoints = status.endpoints.filter((one) => one.network === name);
  if (json) output.json({ ...network, endpoints });
  else printNetwork(output, network, endpoints);
  return EXIT.ok;
}

function printNetwork(output: Output, network: NetworkStatus, endpoints: readonly EndpointStatus[]): void {
  const fields: readonly (readonly [string, string | number | null])[] = [
    ['name', network.name],
    ['driver', withReason(network.driver, network.driver_reason)],
    ['mode', network.mode && withReason(network.mode, network.mode_note)],
    ['vni', network.vni],
    ['vlan', network.vlan],
    ['outer', network.outer_vlan && `${network.outer_vlan} (the provider's VLAN, 802.1ad)`],
    ['engine', network.engine && withReason(network.engine, network.engine_reason)],
    ['mtu', network.mtu],
    ['peers', network.peers],
    ['host', network.shim],
    ...guardLines(network.guards),
    ['problem', network.problem],
  ];
  for (const [name, value] of fields) if (value !== null) output.line(`${name.padEnd(9)}${value}`);
  output.line('');
  endpointTable(output, endpoints);
}

/** What may cross between its sites, and a line for each reason for which frames did not. */
function guardLines(guards: NetworkStatus['guards']): readonly (readonly [string, string])[] {
  if (guards === null) return [];
  const { profile, dhcp, ra, bum_pps, loop, dropped_in, dropped_out } = guards;
  return [
    ['profile', profile.join(', ')],
    ['guards', `dhcp ${dhcp}, ra ${ra}, bum ${bum_pps}/s, loop ${loop}`],
    ...Object.entries(dropped_in).map(([reason, count]) => ['dropped', `${reason} from other sites ${count}`] as const),
    ...Object.entries(dropped_out).map(
      ([reason, count]) => ['dropped', `${reason} towards other sites ${count}`] as const,
    ),
  ];
}

function withReason(word: string, reason: string | null): string {
  return reason === null ? word : `${word} (${reason})`;
}

async function fdb({ client, output, json, positionals }: Invocation): Promise<ExitCode> {
  const [network] = positionals;
  const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`;
  const entries = await client.get<readonly FdbEntry[]>(`/v1/fdb${query}`);
  if (json) output.json(entries);
  else {
    const columns = ['NETWORK', 'VNI', 'MAC', 'VTEP', 'GATEWAY', 'ORIGIN'].map((title) => column(title));
    const rows = entries.map((one) => [one.network, cell(one.vni), one.mac, one.vtep, one.gateway, one.origin]);
    output.table(columns, rows, 'no entries');
  }
  return EXIT.ok;
}

async function clear({ client, output, json, positionals }: Invocation, mac: string): Promise<ExitCode> {
  const [network] = positionals;
  if (network === undefined) throw usageError('fdb --clear needs a network; linkspan network ls lists them');
  const cleared = await client.post<{ cleared: string }>('/v1/clear', JSON.stringify({ network, mac }));
  if (json) output.json(cleared);
  else output.line(`${cleared.cleared} is an ordinary device of network ${network} again`);
  return EXIT.ok;
}
