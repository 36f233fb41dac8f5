import type { GuardSpec } from '../../drivers/guards.ts';
import {
  GUARD_DIRECTIONS,
  GUARD_REASONS,
  type GuardDirection,
  type GuardProfile,
  type Guards,
} from '../../model/guards.ts';
import { crossingOf, NEVER_FRAMES, NEVER_GROUPS } from './profiles.ts';
import { PROBER, PROBES } from './loop-rules.ts';
import { TUNNEL, TUNNEL_SETS, tunnelChain } from './tunnel-rules.ts';
import { accept, type Chain, drop, each, go, render, type Rule } from './chains.ts';

/** The group bit of an address (IEEE 802.3 section 3.2.3). */
const GROUP = '& 01:00:00:00:00:00 == 01:00:00:00:00:00';
/** Neither of the two addresses is a group's: one look at the frame's first seven bytes. */
const NO_GROUPS = '@ll,0,56 & 0x01000000000001 == 0';
/**
 * IP by its EtherType, and by the kernel's own idea of the frame: of others it looks into no header, and a program that
 * sends raw frames (packet(7)) tells it what it likes.
 */
const IP = '@ll,96,16 . meta protocol { 0x0800 . ip, 0x86dd . ip6 }';
const MISLABELLED = [
  '@ll,96,16 { 0x0800, 0x86dd } @ll,96,16 . meta protocol != { 0x0800 . ip, 0x86dd . ip6 }',
  'meta protocol { ip, ip6 } @ll,96,16 != { 0x0800, 0x86dd }',
];
/** An EtherType in LLC and SNAP (RFC 1042, and IEEE 802.1H): some hosts take IP in it, and no rule here sees behind it. */
const SNAP = '@ll,96,16 < 1536 @ll,112,24 0xaaaa03 @ll,136,24 { 0x000000, 0x0000f8 }';
const DHCP_PORTS = [67, 68, 546, 547];

/** Spanning tree, LACP, pause and the like (IEEE 802.1Q table 8-1); MVRP (table 10-1); Cisco's CDP, VTP and PVST+. */
const LINK_LOCAL = [
  'ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00',
  'ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:20',
  'ether daddr { 01:00:0c:cc:cc:cc, 01:00:0c:cc:cc:cd }',
];

/**
 * Of loop probes: who is in a loop sends four a second, and they must be back whatever storms. Who got through once has a
 * share of its own, told by its key: a flood of others' probes would have a loop found gone that is there.
 */
const PROBES_LIMIT = 'limit rate over 100/second burst 20 packets';
const PROBER_LIMIT = 'limit rate over 8/second burst 8 packets';
const PROBERS_MAX = 64;
const PROBER_S = 10;

/** ARP, neighbour solicitation and advertisement. */
const NEIGHBOURS = ['ether type 0x0806', 'icmpv6 type { 135, 136 }'];

/**
 * The body of the table that guards an overlay network's port, with a counter for each reason and direction. What comes
 * in is decided on here, whoever sent it; what would go out is spared the way.
 * @param outgoing whether the kernel has a hook there (Linux 5.16)
 * @param tunnel whether it can answer tunnel probes
 */
export function portRules(spec: GuardSpec, outgoing: boolean, tunnel = false): string {
  const counters = GUARD_REASONS.flatMap((reason) => GUARD_DIRECTIONS.map((way) => `  counter ${reason}_${way} {}\n`));
  const macs = tunnel ? spec.tunnel : undefined;
  const first = [...services(spec), ...limits(spec.guards), groups(spec.guards.profiles)];
  const last = port(spec.guards.profiles, macs !== undefined);
  const ways = GUARD_DIRECTIONS.filter((way) => way === 'in' || outgoing);
  const sets = ways.map(
    (way) =>
      `  set ${probers(way)} { typeof ${PROBER}; flags dynamic,timeout; timeout ${PROBER_S}s; size ${PROBERS_MAX}; }\n`,
  );
  const chains = ways.flatMap((way) =>
    [...first, ...(macs ? [tunnelChain(macs, way, spec.device)] : []), last].map((one) =>
      render(one, way, spec.device),
    ),
  );
  return [...counters, ...sets, ...(outgoing ? [TUNNEL_SETS] : []), ...chains].join('');
}

/**
 * Nearly all frames are unicast IP between stations, so these are told from the rest at once: each rule that a small
 * packet passes was measured at some 30 ns. Of two tags the inner one is left, and nothing behind it would be seen.
 */
function port(profiles: readonly GuardProfile[], tunnel: boolean): Chain {
  const { open, frames } = crossingOf(profiles);
  return {
    name: 'port',
    rules: [
      drop('@ll,48,48 0', 'group_source'),
      go(`${NO_GROUPS} ${IP}`, 'goto', 'unicast'),
      ...(tunnel ? [go(TUNNEL, 'goto', 'tunnel')] : []),
      drop(`ether saddr ${GROUP}`, 'group_source'),
      drop('ether type { 8021q, 8021ad }', 'inner_vlan'),
      ...[...MISLABELLED, SNAP].map((match) => drop(match, 'protocol')),
      go(`ether daddr ${GROUP}`, 'goto', 'groups'),
      ...['ether type 0x0806', ...frames].map((match) => accept(match)),
      drop(open ? NEVER_FRAMES : '', 'protocol'),
    ],
  };
}

/**
 * A redirect or an advertisement in fragments is none to a host that knows RFC 6980, and gets past no other rule. Nor does
 * what has more headers of IPv6's behind the fragment's: the port may be in the next one (RFC 7112).
 */
function services({ guards, port: own, path }: GuardSpec): readonly Chain[] {
  const ports = guards.dhcp === 'block' ? [...DHCP_PORTS, own] : [own];
  const ra = [drop('icmpv6 type { 134, 137 }', 'ra'), drop('ip6 saddr fe80::/10 exthdr frag exists', 'ra')];
  return [
    { name: 'ports', rules: [drop(`udp dport ${own}`, 'nested'), drop('', 'dhcp')] },
    {
      name: 'services',
      rules: [
        go(`udp dport { ${ports.join(', ')} }`, 'goto', 'ports'),
        ...(guards.ra === 'block' ? ra : []),
        ...(guards.dhcp === 'block' ? [drop('frag nexthdr { 0, 43, 44, 60 }', 'dhcp')] : []),
      ],
    },
    { name: 'unicast', rules: [...clamps(path), accept('meta l4proto 6'), go('', 'goto', 'services')] },
  ];
}

/**
 * Where a way between the sites passes less than the network's MTU, TCP is told so in both directions, once for each
 * connection; the kernel's expression only ever makes the size smaller. Headers without options: RFC 6691 section 2.
 */
function clamps(path: number | undefined): readonly Rule[] {
  if (path === undefined) return [];
  const families = [
    ['0x0800', path - 40],
    ['0x86dd', path - 60],
  ] as const;
  return families.map(([type, size]) => ({
    match: `ether type ${type} tcp flags & (syn | rst) == syn`,
    verdict: () => `tcp option maxseg size set ${size}`,
  }));
}

function groups(profiles: readonly GuardProfile[]): Chain {
  const { open, frames, groups: passing } = crossingOf(profiles);
  const others: readonly Rule[] = open
    ? [...[NEVER_FRAMES, ...NEVER_GROUPS].map((match) => drop(match, 'protocol')), go('', 'goto', 'limited')]
    : [drop('', 'protocol')];
  return {
    name: 'groups',
    rules: [
      ...LINK_LOCAL.map((match) => drop(match, 'link_local')),
      go(PROBES, 'goto', 'probes'),
      go('', 'jump', 'services'),
      ...NEIGHBOURS.map((match) => go(match, 'goto', 'neighbours')),
      ...[...frames, ...passing].map((match) => go(match, 'goto', 'limited')),
      ...others,
    ],
  };
}

/** No second brings more than the limit. A quarter of it is kept for who looks for a neighbour, whatever storms. */
function limits({ bumPps }: Guards): readonly Chain[] {
  const kept = Math.floor(bumPps / 4);
  const own = kept === 0 ? [] : [accept(`limit rate ${bucket(kept)}`)];
  return [
    {
      name: 'prober',
      rules: [each((way) => `${share(way)} counter name storm_${way} drop`)],
    },
    {
      name: 'probes',
      rules: [each((way) => `${PROBER} @${probers(way)} goto prober_${way}`), drop(PROBES_LIMIT, 'storm'), each(share)],
    },
    { name: 'limited', rules: [drop(`limit rate over ${bucket(bumPps - kept)}`, 'storm')] },
    { name: 'neighbours', rules: [...own, go('', 'goto', 'limited')] },
  ];
}

/** The set of those who got through of late. */
function probers(way: GuardDirection): string {
  return `probers_${way}`;
}

/** Matches what is above a prober's share, which this gives it where there is room. */
function share(way: GuardDirection): string {
  return `update @${probers(way)} { ${PROBER} ${PROBER_LIMIT} }`;
}

/** A tenth of the frames may come at once, and is left off the steady rate: a bucket gives both in its first second. */
function bucket(frames: number): string {
  const burst = Math.max(1, Math.floor(frames / 10));
  return `${Math.max(1, frames - burst)}/second burst ${burst} packets`;
}
