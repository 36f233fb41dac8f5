import { familyOf } from '../model/ip.ts';
import type { NetlinkMessage } from '../packet/netlink-read.ts';
import { neighbourDump, readFdbEntry } from '../packet/rtnetlink/fdb.ts';
import { readRoute, routeDump, routeQuestion } from '../packet/rtnetlink/route.ts';
import { SystemCallError } from './libc.ts';
import type { ObservedLink } from './links.ts';
import { ask } from './netlink.ts';
import { ipBatch } from './run.ts';

/** Our routes carry a protocol number of their own (`ip route show proto 76`). */
const OUR_PROTOCOL = 76;
const MAIN_TABLE = 254;

/** A route to one workload through the host's shim. */
export type HostRoute = {
  readonly to: string;
  readonly device: string;
  /** the host's address that the workload will see */
  readonly source: string;
  /** the workload's MAC, where its answer to the host's question would not come back by the shim */
  readonly neighbour?: string;
};

/** The routes of ours in the own namespace, whose links these are. @throws SystemCallError */
export async function readRoutes(links: readonly ObservedLink[]): Promise<readonly HostRoute[]> {
  const told = links.some(({ ours, kind }) => ours && kind === 'ipvlan');
  const messages = (await ask([routeDump(4), routeDump(6), ...(told ? [neighbourDump()] : [])])).flat();
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const neighbours = permanentNeighbours(messages);
  return messages
    .flatMap((message) => readRoute(message) ?? [])
    .filter(({ protocol, table }) => protocol === OUR_PROTOCOL && table === MAIN_TABLE)
    .map(({ to, device = 0, source = '' }) => {
      const neighbour = neighbours.get(`${to} ${device}`);
      const route = { to, device: names.get(device) ?? '', source };
      return neighbour === undefined ? route : Object.assign(route, { neighbour });
    });
}

/** MACs by `ADDRESS INDEX`. */
function permanentNeighbours(messages: readonly NetlinkMessage[]): ReadonlyMap<string, string> {
  const entries = messages.flatMap((message) => readFdbEntry(message) ?? []);
  const told = entries.filter(({ permanent }) => permanent);
  return new Map(told.map(({ ip, index, mac }) => [`${ip} ${index}`, mac]));
}

export async function syncRoutes(add: readonly HostRoute[], remove: readonly HostRoute[]): Promise<void> {
  await ipBatch([
    ...remove.map((route) => `route del ${route.to} dev ${route.device} proto ${OUR_PROTOCOL}`),
    ...add.map((route) => `route replace ${route.to} dev ${route.device} src ${route.source} proto ${OUR_PROTOCOL}`),
    ...remove.flatMap((route) => (route.neighbour === undefined ? [] : [`neigh del ${route.to} dev ${route.device}`])),
    ...add.flatMap((route) => neighbourLines(route)),
  ]);
}

/** And the workload is answered for the host's IPv6 address, which the shim does not have; IPv4 answers by itself. */
function neighbourLines({ to, device, source, neighbour }: HostRoute): readonly string[] {
  if (neighbour === undefined) return [];
  const known = `neigh replace ${to} lladdr ${neighbour} dev ${device} nud permanent`;
  return familyOf(to) === 6 ? [known, `neigh replace proxy ${source} dev ${device}`] : [known];
}

/** The source address of the default route, IPv4's before IPv6's, or undefined where there is none. */
export async function defaultSource(): Promise<string | undefined> {
  return (await sourceTowards('192.0.2.1')) ?? sourceTowards('2001:db8::1');
}

/** The addresses asked for are those of documentation (RFC 5737, RFC 3849): no route but the default one leads there. */
async function sourceTowards(address: string): Promise<string | undefined> {
  try {
    const [answer = []] = await ask([routeQuestion(address)]);
    return answer.flatMap((message) => readRoute(message) ?? [])[0]?.source;
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  }
}
