import { type DhcpLease, FOREVER_S } from '../model/dhcp.ts';
import { contains, familyOf, isHostAddress, parseIp, type IpPrefix } from '../model/ip.ts';
import { visible } from '../model/text.ts';
import type { DhcpVariables } from './dhcp-event.ts';

/** What udhcpc assumes where a server names no time. */
const DEFAULT_LEASE_S = 3600;
/** RFC 791: what every host must be able to take. */
const MTU_MIN = 576;
const MTU_MAX = 65_535;
const SERVERS_MAX = 8;
/** Shorter prefixes than a class A network's are no plant's network. */
const LENGTH_MIN = 8;
const DOMAIN = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;
/** What udhcpc writes in place of a name that would harm a shell script. */
const REFUSED_DOMAIN = 'bad';

/**
 * Reads a `bound` or `renew` event: the whole answer is refused where address, mask, server or time make no sense;
 * else what makes none (a router off the subnet, an MTU of 10) is left out and named in `ignored`.
 *
 * @param now milliseconds since 1970
 */
export function parseLease(variables: DhcpVariables, now: number): { lease: DhcpLease } | { unusable: string } {
  const address = parseAddress(variables['ip'], variables['subnet']);
  const server = unicast(variables['serverid']);
  const lease_s = parseTime(variables['lease']);
  if (address === undefined) return unusable('address', `${variables['ip'] ?? ''}/${variables['subnet'] ?? ''}`);
  if (server === undefined) return unusable('server identifier', variables['serverid']);
  if (lease_s === undefined) return unusable('lease time', variables['lease']);
  return { lease: { address, server, lease_s, obtainedAt: now, ...parseOptions(variables, address) } };
}

function unusable(what: string, text = ''): { unusable: string } {
  return { unusable: `${what} ${quoted(text)} makes no sense` };
}

function parseOptions(
  variables: DhcpVariables,
  address: IpPrefix,
): Pick<DhcpLease, 'router' | 'dns' | 'domain' | 'mtu' | 'ignored'> {
  const routers = words(variables['router']);
  const servers = words(variables['dns']);
  const router = routers.map(unicast).find((each) => each !== undefined && isNeighbour(address, each));
  const dns = servers.map(unicast).filter((each) => each !== undefined);
  const domain = parseDomain(variables['domain']);
  const mtu = parseMtu(variables['mtu']);
  const ignored = [
    ...(router === undefined && routers.length > 0 ? [`router ${quoted(routers.join(' '))}`] : []),
    ...(dns.length < servers.length ? [`DNS servers among ${quoted(servers.join(' '))}`] : []),
    ...(domain === undefined && variables['domain'] ? [`domain ${quoted(variables['domain'])}`] : []),
    ...(mtu === undefined && variables['mtu'] ? [`MTU ${quoted(variables['mtu'])}`] : []),
  ];
  return {
    ...(router !== undefined && { router }),
    dns: [...new Set(dns)].slice(0, SERVERS_MAX),
    ...(domain !== undefined && { domain }),
    ...(mtu !== undefined && { mtu }),
    ignored,
  };
}

function parseAddress(ip: string | undefined, mask: string | undefined): IpPrefix | undefined {
  const address = unicast(ip);
  const length = maskLength(mask);
  if (address === undefined || length === undefined || length < LENGTH_MIN) return undefined;
  const prefix: IpPrefix = { family: 4, address, length };
  // Link-local addresses are chosen by hosts themselves, never leased (RFC 3927).
  return isHostAddress(prefix, address) && !address.startsWith('169.254.') ? prefix : undefined;
}

/** The length of a mask of ones and then zeroes, `255.255.255.0` as 24. */
function maskLength(mask: string | undefined): number | undefined {
  const canonical = parseIp(mask ?? '');
  if (canonical === undefined || familyOf(canonical) === 6) return undefined;
  const bits = canonical.split('.').map((byte) => Number(byte).toString(2).padStart(8, '0'));
  const ones = /^(1*)0*$/.exec(bits.join(''))?.[1];
  return ones?.length;
}

/** An IPv4 address that one host may have: not of 0/8 or 127/8, no group, no broadcast. */
function unicast(text: string | undefined): string | undefined {
  const address = parseIp(text ?? '');
  if (address === undefined || familyOf(address) === 6) return undefined;
  const first = Number(address.split('.')[0]);
  return first > 0 && first < 224 && first !== 127 ? address : undefined;
}

function isNeighbour(own: IpPrefix, router: string): boolean {
  return router !== own.address && contains(own, router) && isHostAddress(own, router);
}

function parseTime(text: string | undefined): number | undefined {
  if (text === undefined) return DEFAULT_LEASE_S;
  const seconds = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  return seconds > 0 && seconds <= FOREVER_S ? seconds : undefined;
}

function parseMtu(text: string | undefined): number | undefined {
  const mtu = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return mtu >= MTU_MIN && mtu <= MTU_MAX ? mtu : undefined;
}

function parseDomain(text: string | undefined): string | undefined {
  const domain = text?.replace(/\.$/, '').toLowerCase();
  return domain !== undefined && domain !== REFUSED_DOMAIN && DOMAIN.test(domain) ? domain : undefined;
}

function words(text: string | undefined): readonly string[] {
  return (text ?? '').split(' ').filter((word) => word !== '');
}

function quoted(text: string): string {
  return `"${visible(text).slice(0, 64)}"`;
}
