import type { VxlanSources } from '../../drivers/guards.ts';
import { familyOf } from '../../model/ip.ts';

/** The VNI in a VXLAN header (RFC 7348 section 5), behind UDP's of 8 bytes: bits 96 to 119. */
const VNI = '@th,96,24';

/**
 * The body of the table by which the kernel's vxlan devices take packets only from their networks' VTEPs; empty without
 * networks. On the way to the host itself, since there no packet is in fragments any more. Other programs' VNIs on the
 * same port are left alone.
 * @param networks all VTEPs of one address family, the underlay's
 */
export function sourceRules(networks: readonly VxlanSources[], port: number): string {
  if (networks.length === 0) return '';
  const known = networks.flatMap(({ vni, addresses }) => addresses.map((address) => `${address} . ${vni}`));
  const family = networks.some(({ addresses }) => addresses.some((address) => familyOf(address) === 6)) ? 'ip6' : 'ip';
  const accept = known.length === 0 ? '' : `    ${family} saddr . ${VNI} { ${known.join(', ')} } accept\n`;
  return `  counter unknown_source {}
  chain input {
    type filter hook input priority filter; policy accept;
    udp dport ${port} goto tunnels
  }
  chain tunnels {
${accept}    ${VNI} { ${networks.map(({ vni }) => vni).join(', ')} } counter name unknown_source drop
  }\n`;
}
