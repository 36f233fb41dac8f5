import { ipBatch, run } from './run.ts';

/** Our routes carry a protocol number of their own (`ip route show proto 76`). */
const OUR_PROTOCOL = 76;

/** A route to one workload through the host's shim; `source` is the host's address that the workload will see. */
export type HostRoute = { readonly to: string; readonly device: string; readonly source: string };

type RawRoute = { dst?: string; dev?: string; prefsrc?: string };

function show(family: '-4' | '-6'): Promise<string> {
  return run(['ip', family, '-j', 'route', 'show', 'proto', String(OUR_PROTOCOL)]);
}

/** The routes of ours in the own namespace. */
export async function readRoutes(): Promise<readonly HostRoute[]> {
  const texts = await Promise.all([show('-4'), show('-6')]);
  return texts
    .flatMap((text) => JSON.parse(text.trim() || '[]') as RawRoute[])
    .map((raw) => ({ to: raw.dst ?? '', device: raw.dev ?? '', source: raw.prefsrc ?? '' }));
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
  const text = await run(['ip', '-j', 'route', 'get', address]).catch(() => '[]');
  return (JSON.parse(text) as RawRoute[])[0]?.prefsrc;
}
