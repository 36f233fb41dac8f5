import { readRoute, routeDump, routeQuestion } from '../packet/rtnetlink/route.ts';
import { SystemCallError } from './libc.ts';
import type { ObservedLink } from './links.ts';
import { ask } from './netlink.ts';
import { ipBatch } from './run.ts';

/** Our routes carry a protocol number of their own (`ip route show proto 76`). */
const OUR_PROTOCOL = 76;
const MAIN_TABLE = 254;

/** A route to one workload through the host's shim; `source` is the host's address that the workload will see. */
export type HostRoute = { readonly to: string; readonly device: string; readonly source: string };

/** The routes of ours in the own namespace, whose links these are. @throws SystemCallError */
export async function readRoutes(links: readonly ObservedLink[]): Promise<readonly HostRoute[]> {
  const answers = await ask([routeDump(4), routeDump(6)]);
  const names = new Map(links.map(({ index, name }) => [index, name]));
  return answers
    .flat()
    .flatMap((message) => readRoute(message) ?? [])
    .filter(({ protocol, table }) => protocol === OUR_PROTOCOL && table === MAIN_TABLE)
    .map(({ to, device, source = '' }) => ({ to, device: names.get(device ?? 0) ?? '', source }));
}

export async function syncRoutes(add: readonly HostRoute[], remove: readonly HostRoute[]): Promise<void> {
  await ipBatch([
    ...remove.map((route) => `route del ${route.to} dev ${route.device} proto ${OUR_PROTOCOL}`),
    ...add.map((route) => `route replace ${route.to} dev ${route.device} src ${route.source} proto ${OUR_PROTOCOL}`),
  ]);
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
