import type { NetworkSpec } from '../drivers/driver.ts';
import { formatIpPrefix, networkOf } from '../model/ip.ts';

type Nat = NonNullable<NetworkSpec['nat']>;

/** The chain whose presence says that we, and not the host, made interfaces forward; see `natRules`. */
export const GUARD_CHAIN = 'guard';

/**
 * The body of our nftables table: masquerade for what leaves a bridge network, no way between two of them. Masquerading
 * needs interfaces to forward, and a gateway that starts to forward would join plant and office behind everyone's back;
 * so where the host does not forward on its own, the guard chain drops whatever is none of our networks' traffic. IPv4
 * only: that is what we switch on, and a host that routes IPv6 already goes on doing so.
 *
 * `net.ipv4.ip_forward` stays as it is, so that it goes on telling what the host's owner wants, after a flush of all
 * tables or a restart of ours too. Docker, for one, sets it, and then keeps the others' traffic apart itself.
 */
export function natRules(nats: readonly Nat[], guarded: boolean): string {
  if (nats.length === 0) return '';
  const names = nats.map((nat) => `"${nat.bridge}"`).join(', ');
  const masquerade = nats.map(
    (nat) => `    ip saddr ${formatIpPrefix(networkOf(nat.subnet))} oifname != "${nat.bridge}" masquerade\n`,
  );
  const isolate = nats.map(
    (nat) => `    iifname "${nat.bridge}" oifname { ${names} } oifname != "${nat.bridge}" drop\n`,
  );
  const guard = `  chain ${GUARD_CHAIN} {
    type filter hook forward priority filter; policy accept;
    meta nfproto ipv4 iifname != { ${names} } oifname != { ${names} } drop
  }\n`;
  return `  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
${masquerade.join('')}  }
  chain forward {
    type filter hook forward priority filter; policy accept;
${isolate.join('')}    oifname { ${names} } ct state established,related accept
    iifname != { ${names} } oifname { ${names} } drop
  }
${guarded ? guard : ''}`;
}
