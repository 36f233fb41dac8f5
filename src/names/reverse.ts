import { isIP } from 'node:net';
import { parseIp } from '../model/ip.ts';

const IPV4_SUFFIX = '.in-addr.arpa';
const IPV6_SUFFIX = '.ip6.arpa';
const NIBBLES = /^(?:[0-9a-f]\.){31}[0-9a-f]$/;

/** The address that a name of the reverse zones asks for (RFC 1035 section 3.5, RFC 3596 section 2.5), canonical. */
export function addressOfReverse(name: string): string | undefined {
  const lower = name.toLowerCase();
  if (lower.endsWith(IPV4_SUFFIX)) return ipv4(lower.slice(0, -IPV4_SUFFIX.length));
  return lower.endsWith(IPV6_SUFFIX) ? ipv6(lower.slice(0, -IPV6_SUFFIX.length)) : undefined;
}

function ipv4(reversed: string): string | undefined {
  const address = reversed.split('.').toReversed().join('.');
  return isIP(address) === 4 ? address : undefined;
}

function ipv6(reversed: string): string | undefined {
  if (!NIBBLES.test(reversed)) return undefined;
  const digits = reversed.split('.').toReversed().join('');
  return parseIp(digits.replaceAll(/(.{4})(?!$)/g, '$1:'));
}
