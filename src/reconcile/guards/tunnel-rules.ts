import type { GuardDirection } from '../../model/guards.ts';
import type { Mac } from '../../model/mac.ts';
import type { TunnelMacs } from '../../model/tunnel.ts';
import {
  ETHERTYPE_TUNNEL,
  TUNNEL_KIND,
  TUNNEL_KIND_AT,
  TUNNEL_MAGIC,
  TUNNEL_MAGIC_AT,
} from '../../packet/tunnel-probe.ts';
import { accept, type Chain, drop, each, type Rule } from './chains.ts';

/** Who is in doubt asks four times a second, and whoever is asked by hand once more. */
const LIMIT = 'limit rate over 8/second burst 8 packets';
const KEPT_S = 10;
/** More gateways than one network has; a set of another size would be another set. */
const KEPT_MAX = 8192;
const KIND = `@ll,${TUNNEL_KIND_AT * 8},8`;
/** Where the service listens for answers: nobody else does for this EtherType, so no other frame is the slower for it. */
const LISTENER = 'lo';

/** Matches the tunnel probes of all gateways. */
export const TUNNEL = `ether type 0x${ETHERTYPE_TUNNEL.toString(16)} @ll,${TUNNEL_MAGIC_AT * 8},32 0x${TUNNEL_MAGIC.toString(16)}`;

/** Those who have asked of late, and those who have answered. */
const SETS = { request: 'askers', answer: 'answerers' } as const;

/** Each with a set of its own rates. */
export const TUNNEL_SETS = Object.values(SETS)
  .map((name) => `  set ${name} { type ether_addr; flags dynamic,timeout; timeout ${KEPT_S}s; size ${KEPT_MAX}; }\n`)
  .join('');

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
  const known = peers.length === 0 ? [] : [...limited('answer', `fwd to "${LISTENER}"`), ...limited('request', back)];
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

/** Whoever forges an answer has seen no request, so that nobody takes it for one. */
function outgoing({ own }: { readonly own: Mac }): readonly Rule[] {
  const answers = `${KIND} ${TUNNEL_KIND.answer} ether saddr ${own}`;
  return [accept(answers), accept(FROM_HERE), drop('', 'protocol')];
}
