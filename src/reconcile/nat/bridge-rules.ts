import type { EndpointSpec, StretchSpec } from '../../drivers/driver.ts';
import type { ObservedTable } from '../../host/firewall.ts';

/**
 * On packets that go back into the network they came from, to a published port: only between two chains of ours, since
 * a packet loses its mark where it enters another namespace.
 */
export const HAIRPIN_MARK = '0x10000000';
const WITHOUT_MARK = '0xefffffff';

/** After br_netfilter (priority 0) has passed the packet through the rules for routed ones. */
const AFTER_ROUTED = 10;

/** What a port of a bridge may do beyond forwarding. */
export type PortRole = {
  /** kept from the network's other workloads */
  readonly apart: boolean;
  /** may have a frame back that came from it: it publishes a port, and may ask for it itself */
  readonly hairpin: boolean;
};

/**
 * The body of our table for bridged frames. Workloads that are to be kept apart are so for all protocols, ARP too.
 *
 * The kernel's own switch for that, `isolated` of the bridge's port, does the same, until br_netfilter is loaded (by
 * Docker): then a packet to a published port of a neighbour is not routed but bridged, and would be dropped with the
 * rest. Here it passes by its mark.
 */
export function bridgeRules(
  ports: readonly { readonly name: string; readonly role: PortRole }[],
  stretches: readonly StretchSpec[] = [],
): string {
  const apart = ports.filter(({ role }) => role.apart).map(({ name }) => `"${name}"`);
  const hairpin = ports.filter(({ role }) => role.hairpin).map(({ name }) => `"${name}" . "${name}"`);
  const between = stretches.map((stretch) => stretchChain(stretch)).join('');
  if (apart.length + hairpin.length === 0) return between;
  return `${between}${set('apart', 'ifname', apart)}${set('hairpin', 'ifname . ifname', hairpin)}  chain forward {
    type filter hook forward priority ${AFTER_ROUTED}; policy accept;
    meta mark and ${HAIRPIN_MARK} == ${HAIRPIN_MARK} meta mark set meta mark and ${WITHOUT_MARK} accept
    iifname . oifname @hairpin drop
    iifname @apart oifname @apart drop
  }\n`;
}

/**
 * What passes between a VLAN and the overlay. No tag goes in (RFC 7348 section 6.1). And both ends of a TCP connection
 * are told what the overlay takes (RFC 4459 section 3.2), less IP's and TCP's headers, since between the sites the
 * answer to what is too big may come late or not at all.
 */
function stretchChain({ bridge, overlay, mtu }: StretchSpec): string {
  const clamp = (way: string, type: string, headers: number): string => {
    const most = mtu - headers;
    return `    ${way} "${overlay}" ether type ${type} tcp flags & syn == syn tcp option maxseg size > ${most} tcp option maxseg size set ${most}\n`;
  };
  const clamps = ['iifname', 'oifname'].flatMap((way) => [clamp(way, 'ip', 40), clamp(way, 'ip6', 60)]);
  return `  chain ${bridge} {
    type filter hook forward priority ${AFTER_ROUTED}; policy accept;
    oifname "${overlay}" ether type { 8021q, 8021ad } drop
${clamps.join('')}  }\n`;
}

function set(name: string, type: string, elements: readonly string[]): string {
  const held = elements.length === 0 ? '' : `    elements = { ${elements.join(', ')} }\n`;
  return `  set ${name} {
    type ${type}
${held}  }\n`;
}

/**
 * How the kernel's own switches of the port shall be: `isolated` until the rules for it stand (on a kernel without
 * nftables for bridges: for good), `hairpin` only once they keep a port's other frames from coming back to it.
 */
export function portFlags(name: string, role: PortRole, table: ObservedTable | undefined): EndpointSpec['port'] {
  const ruled = table?.elements.get('apart')?.has(name) ?? false;
  const hairpin = table?.elements.get('hairpin')?.has(`${name} ${name}`) ?? false;
  return { isolated: role.apart && !ruled, hairpin: role.hairpin && hairpin };
}
