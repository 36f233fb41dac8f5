import { CommandError, inNamespace, run } from './run.ts';

/** What stands on an interface beside the link itself, whoever set it, as arguments of `ip`. */
export type InterfaceState = {
  readonly addresses: readonly string[];
  readonly routes4: readonly string[];
  readonly routes6: readonly string[];
  /** those whose MAC is known */
  readonly neighbours: readonly string[];
};

type RawNeighbour = { readonly dst?: string; readonly lladdr?: string; readonly state?: readonly string[] };

type RawAddress = {
  family?: string;
  local?: string;
  /** the other end of a point-to-point address */
  address?: string;
  prefixlen?: number;
  broadcast?: string;
  scope?: string;
  label?: string;
  metric?: number;
  noprefixroute?: boolean;
  valid_life_time?: number;
  preferred_life_time?: number;
};

const FOREVER = 4_294_967_295;

/** Reads the addresses, and the routes of every table, of the interface `name` in the namespace at `path`. */
export async function readInterface(path: string, name: string): Promise<InterfaceState> {
  const show = (...argv: readonly string[]): Promise<string> => run(inNamespace(path, ['ip', ...argv]));
  const [addresses, routes4, routes6, neighbours] = await Promise.all([
    show('-j', 'address', 'show', 'dev', name),
    show('-o', '-4', 'route', 'show', 'table', 'all'),
    show('-o', '-6', 'route', 'show', 'table', 'all'),
    show('-j', 'neigh', 'show', 'dev', name),
  ]);
  const [link] = JSON.parse(addresses) as { addr_info?: RawAddress[] }[];
  return {
    addresses: (link?.addr_info ?? []).map((raw) => addressWords(raw)),
    routes4: routesOf(routes4, name),
    routes6: routesOf(routes6, name),
    neighbours: neighboursOf(JSON.parse(neighbours || '[]') as RawNeighbour[]),
  };
}

/**
 * Sets all of it on the interface `name`, which is down, and brings that up: an interface that is up is complete.
 * @returns what the kernel refused, in its own words; the rest stands all the same
 */
export async function restoreInterface(path: string, name: string, state: InterfaceState): Promise<readonly string[]> {
  const addresses = state.addresses.map((words) => `address add ${words} dev ${name}`);
  // Best effort, and at once: who has to ask for a neighbour while its network changes asks again only a second later.
  const neighbours = state.neighbours.map((words) => `neigh replace ${words} dev ${name}`);
  const lines = [...addresses, `link set dev ${name} up`];
  const all = await batch(path, '-0', [...lines, ...neighbours]);
  const refused = all.filter((line) => !line.startsWith('neigh '));
  const routes = await Promise.all([
    batch(path, '-4', replacing(state.routes4)),
    batch(path, '-6', replacing(state.routes6)),
  ]);
  return [...refused, ...routes.flat()];
}

/** Routes to neighbours come first: the kernel takes a router only where it can reach it. */
function replacing(routes: readonly string[]): readonly string[] {
  const [behind, direct] = [
    routes.filter((route) => / via /.test(route)),
    routes.filter((route) => !/ via /.test(route)),
  ];
  return [...direct, ...behind].map((route) => `route replace ${route}`);
}

/** `-force`: what the kernel refuses must not keep the others from being set. `-4`, `-6`: whose `default` it is. */
async function batch(path: string, family: '-0' | '-4' | '-6', lines: readonly string[]): Promise<readonly string[]> {
  if (lines.length === 0) return [];
  const argv = ['ip', ...(family === '-0' ? [] : [family]), '-force', '-batch', '-'];
  try {
    await run(inNamespace(path, argv), `${lines.join('\n')}\n`);
    return [];
  } catch (error) {
    if (error instanceof CommandError) return refusals(error.stderr, lines);
    throw error;
  }
}

/** Two lines of `ip` for each refusal: the kernel's words, then the number of the line. */
function refusals(stderr: string, lines: readonly string[]): readonly string[] {
  const found = [...stderr.matchAll(/(.*)\nCommand failed -:(\d+)/g)];
  return found.map(([, words = '', number]) => `${lines[Number(number) - 1] ?? ''}: ${words}`);
}

function addressWords(raw: RawAddress): string {
  const { local = '', address, prefixlen = 0, broadcast, scope, label, metric } = raw;
  const { valid_life_time: valid = FOREVER, preferred_life_time: preferred = FOREVER } = raw;
  const life = (seconds: number): string => (seconds === FOREVER ? 'forever' : String(seconds));
  return [
    address === undefined ? `${local}/${prefixlen}` : `${local} peer ${address}/${prefixlen}`,
    ...(broadcast === undefined ? [] : ['broadcast', broadcast]),
    ...(label === undefined ? [] : ['label', label]),
    ...(scope === undefined ? [] : ['scope', scope]),
    ...(metric === undefined ? [] : ['metric', String(metric)]),
    ...(raw.noprefixroute === true ? ['noprefixroute'] : []),
    // It was found to be no duplicate already, and is needed at once.
    ...(raw.family === 'inet6' ? ['nodad'] : []),
    ...(valid === FOREVER && preferred === FOREVER ? [] : ['valid_lft', life(valid), 'preferred_lft', life(preferred)]),
  ].join(' ');
}

/** `stale`: good enough to be sent to, and asked about soon; what somebody has set for good stays so. */
export function neighboursOf(raw: readonly RawNeighbour[]): readonly string[] {
  return raw.flatMap(({ dst, lladdr, state = [] }) =>
    dst === undefined || lladdr === undefined || state.includes('FAILED')
      ? []
      : [`${dst} lladdr ${lladdr} nud ${state.includes('PERMANENT') ? 'permanent' : 'stale'}`],
  );
}

/** What `ip route show` tells of a route's present condition, and `ip route add` does not take. */
const CONDITIONS = /(?<= )(?:dead|linkdown|pervasive|offload|trap|unresolved|rt_\w+|nhid \d+)(?= |$)/g;

/** Of a listing, the routes through `name` that the kernel does not make by itself with the addresses. */
export function routesOf(listing: string, name: string): readonly string[] {
  return listing
    .split('\n')
    .map((line) => ` ${line.replaceAll(/[\\\s]+/g, ' ').trim()} `)
    .filter((line) => line.includes(` dev ${name} `))
    .filter((line) => !/ table local | proto kernel /.test(line))
    .map((line) => line.replaceAll(CONDITIONS, '').replaceAll(/(?<= expires \d+)sec/g, ''))
    .map((line) => line.replaceAll(/ +/g, ' ').trim());
}
