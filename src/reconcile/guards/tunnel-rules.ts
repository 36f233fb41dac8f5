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
const ASKED_S = 10;
/** More gateways than one network has; a set of another size would be another set. */
const ASKERS_MAX = 8192;
const KIND = `@ll,${TUNNEL_KIND_AT * 8},8`;
/** Where the service listens for answers: nobody else does for this EtherType, so no other frame is the slower for it. */
const LISTENER = 'lo';

/** Matches the tunnel probes of all gateways. */
export const TUNNEL = `ether type 0x${ETHERTYPE_TUNNEL.toString(16)} @ll,${TUNNEL_MAGIC_AT * 8},32 0x${TUNNEL_MAGIC.toString(16)}`;

/** The set of those who have asked of late. */
export const ASKERS = `  set askers { type ether_addr; flags dynamic,timeout; timeout ${ASKED_S}s; size ${ASKERS_MAX}; }\n`;

/**
 * What becomes of tunnel probes at an overlay network's port; none of them passes to what hangs on it. The kernel itself sends a known peer's
 * request back, over the very way that frames take, so that it is answered while the service is away; and it hands answers to
 * the service. Only answers go out here: the service's own requests take a way past these rules, which nobody's else do.
 */
export function tunnelChain(macs: TunnelMacs, way: GuardDirection, device: string): Chain {
  return { name: 'tunnel', rules: way === 'in' ? incoming(macs, device) : outgoing(macs) };
}

function incoming({ own, peers }: TunnelMacs, device: string): readonly Rule[] {
  const { request, answer } = TUNNEL_KIND;
  const toOthers = `ether daddr != ${own}`;
  const back = `ether daddr set ether saddr ether saddr set ${own} ${KIND} set ${answer} fwd to "${device}"`;
  const known = `${KIND} ${request} ether saddr { ${peers.join(', ')} }`;
  return [
    each(() => `${toOthers} drop`),
    each(() => `${KIND} ${answer} fwd to "${LISTENER}"`),
    ...(peers.length === 0
      ? []
      : [each(() => `${known} update @askers { ether saddr ${LIMIT} } drop`), each(() => `${known} ${back}`)]),
    each(() => 'drop'),
  ];
}

/** Whoever forges an answer has seen no request, so that nobody takes it for one. */
function outgoing({ own }: { readonly own: Mac }): readonly Rule[] {
  return [accept(`${KIND} ${TUNNEL_KIND.answer} ether saddr ${own}`), drop('', 'protocol')];
}
