import { DEFAULT_GUARDS } from '../model/guards.ts';
import { formatIpPrefix, parseIp, parseIpPrefix } from '../model/ip.ts';
import { parseMac } from '../model/mac.ts';
import type { ParsedDocument } from './parse.ts';
import { pointer } from './pointer.ts';
import type { RawDocument, RawEndpoint, RawNetwork } from './raw.ts';

/** One difference between what two documents mean; no `before`: it comes, no `after`: it goes. */
export type Change = { readonly path: string; readonly before?: unknown; readonly after?: unknown };

/**
 * What changes from one document to another, by JSON pointer: defaults are filled in, addresses and MACs in one form, and
 * neither the version nor the order of keys counts.
 */
export function documentChanges(before: ParsedDocument | undefined, after: ParsedDocument): readonly Change[] {
  return changes('/spec', before ? meaning(before) : { uplinks: {}, networks: {}, workloads: {} }, meaning(after));
}

type Tree = { readonly [name: string]: unknown };

function meaning({ text, state }: ParsedDocument): Tree {
  const { spec } = JSON.parse(text) as RawDocument;
  const interfaces = new Map(state.endpoints.map((one) => [`${one.workload}/${one.network}`, one.interface]));
  const workloads = mapped(spec.workloads ?? {}, ({ sandbox, networks }, workload) => ({
    sandbox,
    // Its default is by the order of the networks.
    networks: mapped(networks, (endpoint: RawEndpoint, network) => ({
      ...endpoint,
      interface: interfaces.get(`${workload}/${network}`),
    })),
  }));
  const firmware = spec.firmware && { activate: 'manual', ...spec.firmware };
  return { uplinks: spec.uplinks ?? {}, networks: mapped(spec.networks ?? {}, whole), workloads, firmware };
}

function mapped<T>(all: Readonly<Record<string, T>>, of: (one: T, name: string) => unknown): Tree {
  return Object.fromEntries(Object.entries(all).map(([name, one]) => [name, of(one, name)]));
}

function whole(network: RawNetwork): Tree {
  return { internal: false, ...defaultsOf(network), ...network, ...guardsOf(network) };
}

function defaultsOf(network: RawNetwork): Tree {
  if (network.driver === 'bridge') return { icc: true, masquerade: true };
  if (network.driver === 'overlay') return { engine: 'auto', bum: 'replicate' };
  if (network.driver === 'ipvlan') return { mode: 'l2', shim: true };
  return { mode: 'bridge', shim: (network.mode ?? 'bridge') === 'bridge' };
}

function guardsOf(network: RawNetwork): Tree {
  if (network.driver !== 'overlay') return {};
  const { profiles, ...defaults } = DEFAULT_GUARDS;
  const { profile = profiles, ...rest } = network.guards ?? {};
  return { guards: { ...defaults, ...rest, profile: [profile].flat() } };
}

function changes(path: string, before: unknown, after: unknown): readonly Change[] {
  if (isTree(before) && isTree(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return names.flatMap((name) => changes(path + pointer(name), own(before, name), own(after, name)));
  }
  if (JSON.stringify(canonical(before)) === JSON.stringify(canonical(after))) return [];
  return [{ path, ...(before !== undefined && { before }), ...(after !== undefined && { after }) }];
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(tree: Tree, name: string): unknown {
  return Object.hasOwn(tree, name) ? tree[name] : undefined;
}

/** Lists are sets here: of peers, names, ports and profiles. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => String(canonical(one))).toSorted(byText);
  if (typeof value !== 'string') return value;
  const prefix = value.includes('/') ? parseIpPrefix(value) : undefined;
  return parseIp(value) ?? (prefix && formatIpPrefix(prefix)) ?? parseMac(value) ?? value;
}

function byText(one: string, other: string): number {
  return one < other ? -1 : 1;
}
