import { CommandError, run } from './run.ts';
import { familyOf } from '../model/ip.ts';
import type { Protocol } from '../model/network.ts';

/** A published port, and where it leads now (undefined: nowhere). Flows that go elsewhere are stale. */
export type FlowTarget = {
  readonly family: 4 | 6;
  readonly protocol: Protocol;
  /** of the gateway; undefined: all of its own */
  readonly hostAddress: string | undefined;
  readonly hostPort: number;
  readonly target: { readonly address: string; readonly port: number } | undefined;
};

type Flow = Readonly<Record<'src' | 'dst' | 'sport' | 'dport' | 'replySrc' | 'replySport', string>>;

/**
 * Forgets the flows to these ports that go elsewhere than they shall now. The kernel decides where a flow goes at its
 * first packet, so one that never pauses (a device that sends its values every second) would keep to it for ever.
 * @param local the gateway's own addresses
 * @throws CommandError where `conntrack` is missing
 */
export async function forgetStaleFlows(targets: readonly FlowTarget[], local: ReadonlySet<string>): Promise<void> {
  const kinds = Map.groupBy(targets, ({ family, protocol }) => `${family} ${protocol}`);
  for (const [first, ...more] of kinds.values()) {
    if (first === undefined) continue;
    const flows = await listFlows(first);
    const stale = flows.filter((flow) => [first, ...more].some((target) => isStale(flow, target, local)));
    for (const flow of stale) await forget(first, flow);
  }
}

const options = ({ family, protocol }: FlowTarget): readonly string[] => ['-f', `ipv${family}`, '-p', protocol];

async function listFlows(kind: FlowTarget): Promise<readonly Flow[]> {
  const text = await run(['conntrack', '-L', ...options(kind)]);
  return text.split('\n').flatMap((line) => parseFlow(line) ?? []);
}

/** `udp 17 28 src=A dst=B sport=1 dport=2 [UNREPLIED] src=C dst=A sport=3 dport=1 …` */
export function parseFlow(line: string): Flow | undefined {
  const of = (key: string): readonly string[] =>
    [...line.matchAll(new RegExp(`\\b${key}=(\\S+)`, 'g'))].map((match) => match[1] ?? '');
  const [[src, replySrc], [dst], [sport, replySport], [dport]] = [of('src'), of('dst'), of('sport'), of('dport')];
  if (!src || !replySrc || !dst || !sport || !replySport || !dport) return undefined;
  return { src, dst, sport, dport, replySrc, replySport };
}

export function isStale(flow: Flow, to: FlowTarget, local: ReadonlySet<string>): boolean {
  const { hostAddress, hostPort, target } = to;
  if (Number(flow.dport) !== hostPort || familyOf(flow.dst) !== to.family) return false;
  if (hostAddress === undefined ? !isLocal(flow.dst, local) : flow.dst !== hostAddress) return false;
  const goesTo = `${flow.replySrc} ${flow.replySport}`;
  return goesTo !== (target === undefined ? `${flow.dst} ${flow.dport}` : `${target.address} ${target.port}`);
}

function isLocal(address: string, local: ReadonlySet<string>): boolean {
  return local.has(address) || address.startsWith('127.');
}

/** One that ended meanwhile is what was wanted. */
async function forget(kind: FlowTarget, { src, dst, sport, dport }: Flow): Promise<void> {
  const flow = ['--orig-src', src, '--orig-dst', dst, '--orig-port-src', sport, '--orig-port-dst', dport];
  await run(['conntrack', '-D', ...options(kind), ...flow]).catch((error: unknown) => {
    if (!(error instanceof CommandError && error.stderr.includes('0 flow entries'))) throw error;
  });
}
