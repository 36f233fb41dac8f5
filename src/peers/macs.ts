import { dnsName } from '../model/dns-name.ts';
import { asFields, asIp, asList, asNumber, refuse, type Fields } from '../model/fields.ts';
import { parseMac, type Mac } from '../model/mac.ts';
import { type MacEntry, SEQUENCE_MAX } from '../model/peer.ts';

const MAX_MACS = 4096;
const MAX_IPS_PER_MAC = 32;
/** A workload's name and the 64 aliases that a document may give it. */
export const MAX_NAMES_PER_MAC = 65;

/** A table's entries, no MAC twice. */
export function readMacs(value: unknown): readonly MacEntry[] {
  const seen = new Set<Mac>();
  return asList('macs', value, MAX_MACS).map((item) => {
    const entry = readMac(asFields('macs', item));
    if (seen.has(entry.m)) refuse('macs', `without "${entry.m}" twice`);
    seen.add(entry.m);
    return entry;
  });
}

function readMac(fields: Fields): MacEntry {
  const m = typeof fields['m'] === 'string' ? parseMac(fields['m']) : undefined;
  const s = fields['s'] ?? 0;
  if (s !== 0 && s !== 1) refuse('macs.s', '0 or 1');
  return {
    m: m ?? refuse('macs.m', 'a unicast Ethernet address'),
    ip: asList('macs.ip', fields['ip'] ?? [], MAX_IPS_PER_MAC).map((ip) => asIp('macs.ip', ip)),
    q: asNumber('macs.q', fields['q'] ?? 0, 0, SEQUENCE_MAX),
    s,
    ...(fields['n'] !== undefined && { n: asList('macs.n', fields['n'], MAX_NAMES_PER_MAC).map(readName) }),
  };
}

function readName(value: unknown): string {
  const name = typeof value === 'string' ? dnsName(value) : undefined;
  return name === value && name !== undefined ? name : refuse('macs.n', 'DNS names in lower case');
}

/** The entries as they are published, with a fixed order of fields. */
export function writeMacs(macs: readonly MacEntry[]): readonly MacEntry[] {
  // Names only where there are any: an entry without them has the bytes that it always had.
  return macs.map(({ m, ip, q, s, n = [] }) => ({ m, ip, q, s, ...(n.length > 0 && { n }) }));
}
