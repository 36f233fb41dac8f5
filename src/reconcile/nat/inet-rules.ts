import type { NatSpec } from '../../drivers/driver.ts';
import { formatIpPrefix, networkOf } from '../../model/ip.ts';
import { HAIRPIN_MARK } from './bridge-rules.ts';
import { declareMaps, translateRules } from './maps.ts';
import type { Translation } from './translations.ts';

/** The chains whose presence says that we, and not the host, made interfaces forward; see `inetRules`. */
export const GUARD_CHAINS: Readonly<Record<4 | 6, string>> = { 4: 'guard', 6: 'guard6' };

export type InetFacts = {
  readonly translations: readonly Translation[];
  /** whether the host does not forward that family on its own */
  readonly guarded: Readonly<Record<4 | 6, boolean>>;
  /** bridges that route nothing of ours: the host's own, and those that stretch an overlay */
  readonly otherBridges: readonly string[];
  readonly own: OwnPorts;
};

/** Ports of the gateway itself at which it believes whoever can send there. */
export type OwnPorts = {
  /** VXLAN's, UDP */
  readonly vxlan: number;
  /** the embedded broker's, TCP, where there is one: it knows no users, and who writes there commands the gateway */
  readonly broker: number | undefined;
};

/**
 * The body of our table for routed packets: masquerade for what leaves a bridge network, published ports, no way between
 * two networks. NAT needs interfaces to forward, and a gateway that starts to forward would join plant and office behind
 * everyone's back; so where the host does not forward on its own, the guard chain drops whatever is none of our
 * networks' traffic.
 *
 * What the host as a whole is told (`net.ipv4.ip_forward`) stays as it is, so that it goes on telling what the host's
 * owner wants, after a flush of all tables or a restart of ours too. Docker, for one, sets it, and then keeps the
 * others' traffic apart itself.
 */
export function inetRules(nats: readonly NatSpec[], facts: InetFacts): string {
  if (nats.length === 0) return '';
  const { translations, guarded } = facts;
  const guards = ([4, 6] as const).filter((family) => guarded[family]);
  return [
    declareMaps(translations),
    translations.length === 0 ? '' : translationChains(nats, translations),
    postrouting(nats),
    input(nats, facts.own),
    forward(nats, facts.own),
    ...guards.map((family) => guard(nats, family, facts.otherBridges)),
  ].join('');
}

const quoted = (nats: readonly NatSpec[]): string => nats.map(({ bridge }) => `"${bridge}"`).join(', ');
const pairs = (names: readonly string[]): string => names.map((name) => `"${name}" . "${name}"`).join(', ');

/**
 * A port of 127.0.0.1 leads to a workload only for the host itself, whose answers come in by the bridge: so the kernel
 * must let such addresses pass there (`route_localnet`), and nobody else's packet may bear one, on any interface. It is
 * dropped by what it bears on the wire, before it is counted as part of a connection. IPv6 has no such switch: at ::1
 * nothing is published, and who asks there is refused at once.
 */
function translationChains(nats: readonly NatSpec[], translations: readonly Translation[]): string {
  const rules = translateRules(translations);
  return `  chain early {
    type filter hook prerouting priority raw; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 drop
    iifname != "lo" ip6 daddr ::1 drop
    iifname { ${quoted(nats)} } ip saddr 127.0.0.0/8 drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
${rules}  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 accept
${rules}  }\n`;
}

/**
 * Masquerade for what leaves; and, even where a network's packets shall keep their addresses, for what comes back into
 * the network it came from, which would else be answered past the gateway, and for the host's own from 127.0.0.1.
 */
function postrouting(nats: readonly NatSpec[]): string {
  const rules = nats.flatMap(({ bridge, subnets, masquerade }) =>
    subnets.map((subnet) => {
      const from = `    ${subnet.family === 4 ? 'ip' : 'ip6'} saddr ${formatIpPrefix(networkOf(subnet))}`;
      const leaving = masquerade ? `${from} oifname != "${bridge}" masquerade\n` : '';
      return `${from} oifname "${bridge}" ct status dnat masquerade\n${leaving}`;
    }),
  );
  return `  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 127.0.0.0/8 oifname { ${quoted(nats)} } masquerade
${rules.join('')}  }\n`;
}

/**
 * VXLAN believes whoever has a peer's address. So workloads may send none, neither to this gateway nor, behind its own
 * address, to a peer, which would take it for ours: what they put in would come out on any overlay network.
 */
const noVxlan = (nats: readonly NatSpec[], { vxlan }: OwnPorts): string =>
  `    iifname { ${quoted(nats)} } udp dport ${vxlan} drop\n`;

function input(nats: readonly NatSpec[], own: OwnPorts): string {
  const broker = own.broker === undefined ? '' : `    iifname { ${quoted(nats)} } tcp dport ${own.broker} drop\n`;
  return `  chain input {
    type filter hook input priority filter; policy accept;
${noVxlan(nats, own)}${broker}  }\n`;
}

/**
 * Into a network come answers, packets to published ports, and nothing else. Where the kernel filters bridged packets as
 * well (br_netfilter, which Docker loads), those of one network pass here too, in and out by the same bridge.
 */
function forward(nats: readonly NatSpec[], own: OwnPorts): string {
  const internal = nats.filter((nat) => nat.internal).map(({ bridge }) => bridge);
  const apart = nats.filter((nat) => !nat.icc).map(({ bridge }) => bridge);
  const open = nats.filter((nat) => nat.icc).map(({ bridge }) => bridge);
  const closed = internal.map(
    (name) => `    iifname "${name}" oifname != "${name}" drop\n    iifname != "${name}" oifname "${name}" drop\n`,
  );
  const within = [
    `    iifname . oifname { ${pairs(nats.map(({ bridge }) => bridge))} } ct status dnat meta mark set meta mark or ${HAIRPIN_MARK} accept\n`,
    ...(apart.length === 0 ? [] : [`    iifname . oifname { ${pairs(apart)} } drop\n`]),
    ...(open.length === 0 ? [] : [`    iifname . oifname { ${pairs(open)} } accept\n`]),
  ];
  return `  chain forward {
    type filter hook forward priority filter; policy accept;
${closed.join('')}${within.join('')}${noVxlan(nats, own)}    oifname { ${quoted(nats)} } ct state established,related accept
    oifname { ${quoted(nats)} } ct status dnat accept
    oifname { ${quoted(nats)} } drop
  }\n`;
}

/** What passes another bridge may be seen here too, and is not routed at all. */
function guard(nats: readonly NatSpec[], family: 4 | 6, otherBridges: readonly string[]): string {
  const bridged = otherBridges.length === 0 ? '' : `    iifname . oifname { ${pairs(otherBridges)} } accept\n`;
  return `  chain ${GUARD_CHAINS[family]} {
    type filter hook forward priority filter; policy accept;
${bridged}    meta nfproto ipv${family} iifname != { ${quoted(nats)} } oifname != { ${quoted(nats)} } drop
  }\n`;
}
