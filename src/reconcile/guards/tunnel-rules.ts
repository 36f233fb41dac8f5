import type { GuardDirection } from '../../model/guards.ts';
import type { TunnelMacs } from '../../model/tunnel.ts';
import {
  ETHERTYPE_TUNNEL,
  TUNNEL_KIND,
  TUNNEL_KIND_AT,
  TUNNEL_MAGIC,
  TUNNEL_MAGIC_AT,
  TUNNEL_TOKEN,
} from '../../packet/tunnel-probe.ts';
import { accept, type Chain, drop, each, type Rule } from './chains.ts';

/** Who is in doubt asks four times a second, and whoever is asked by hand once more. */
const LIMIT = 'limit rate over 8/second burst 8 packets';
const KEPT_S = 10;
/** More gateways than one network has; a set of another size would be another set. */
const KEPT_MAX = 8192;
/** What all gateways of a large fleet ask in that time, all of them in doubt. */
const TOKENS_MAX = 65_535;
const KIND = `@ll,${TUNNEL_KIND_AT * 8},8`;
const TOKEN = `@ll,${TUNNEL_TOKEN.at * 8},${TUNNEL_TOKEN.length * 8}`;
/** Where the service listens for answers: nobody else does for this EtherType, so no other frame is the slower for it. */
const LISTENER = 'lo';

/** Matches the tunnel probes of all gateways. */
export const TUNNEL = `ether type 0x${ETHERTYPE_TUNNEL.toString(16)} @ll,${TUNNEL_MAGIC_AT * 8},32 0x${TUNNEL_MAGIC.toString(16)}`;

/** Those who have asked of late, and those who have answered. */
const SETS = { request: 'askers', answer: 'answerers' } as const;

/** The tokens of requests that this gateway has sent, and of those that it is sending back. */
const TOKENS = { asked: KEPT_S, owed: 1 } as const;

/** Of peers, each with a rate of its own; and of tokens, with the seconds that they count. */
export const TUNNEL_SETS = [
  ...Object.values(SETS).map((name) => set(name, 'type ether_addr', KEPT_S, KEPT_MAX)),
  ...Object.entries(TOKENS).map(([name, seconds]) => set(name, `typeof ${TOKEN}`, seconds, TOKENS_MAX)),
].join('');

function set(name: string, key: string, seconds: number, size: number): string {
  return `  set ${name} { ${key}; flags dynamic,timeout; timeout ${seconds}s; size ${size}; }\n`;
}

/**
 * What becomes of tunnel probes at an overlay network's port; none of them passes to what hangs on it. The kernel itself
 * sends a known peer's request back, over the very way that frames take, so that it is answered while the service is
 * away; and it hands answers to the service. What goes out is answers, and the service's requests.
 */
export function tunnelChain(macs: TunnelMacs, way: GuardDirection, device: string): Chain {
  return { name: 'tunnel', rules: way === 'in' ? incoming(macs, device) : outgoing(macs) };
}

function incoming({ own, peers }: TunnelMacs, device: string): readonly Rule[] {
  const back = `ether daddr set ether saddr ether saddr set ${own} ${KIND} set ${TUNNEL_KIND.answer} fwd to "${device}"`;
  const unasked = `${KIND} ${TUNNEL_KIND.answer} ${TOKEN} != @asked drop`;
  const known =
    peers.length === 0
      ? []
      : [unasked, ...limited('answer', `fwd to "${LISTENER}"`), ...limited('request', `${note('owed')} ${back}`)];
  return [
    `ether daddr != ${own} drop`,
    ...(peers.length === 0 ? [] : [`ether saddr != { ${peers.join(', ')} } drop`]),
    ...known,
    'drop',
  ].map((rule) => each(() => rule));
}

/** Each has a rate of its own: who forges one peer's probes costs no other's. */
function limited(kind: keyof typeof TUNNEL_KIND, what: string): readonly string[] {
  const one = `${KIND} ${TUNNEL_KIND[kind]}`;
  return [`${one} update @${SETS[kind]} { ether saddr ${LIMIT} } drop`, `${one} ${what}`];
}

/** A socket's owner is known in its own namespace only (nft_meta): what comes from workloads and the plant has none here. */
const FROM_HERE = 'meta skuid != 4294967295';

/**
 * Only to peers, so that none is ever flooded, and answers only to what came in: who forges one has seen no request. It would
 * get nowhere, but it would use up the rate of this gateway's own.
 */
function outgoing({ own, peers }: TunnelMacs): readonly Rule[] {
  const refused = drop('', 'protocol');
  if (peers.length === 0) return [refused];
  const [request, answer] = [TUNNEL_KIND.request, TUNNEL_KIND.answer].map((kind) => `${KIND} ${kind}`);
  return [
    drop(`ether saddr != ${own}`, 'protocol'),
    drop(`ether daddr != { ${peers.join(', ')} }`, 'protocol'),
    accept(`${answer} ${TOKEN} @owed`),
    accept(`${request} ${FROM_HERE} ${note('asked')}`),
    refused,
  ];
}

function note(tokens: keyof typeof TOKENS): string {
  return `update @${tokens} { ${TOKEN} }`;
}
