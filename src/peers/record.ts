import { createHash } from 'node:crypto';
import { dnsName } from '../model/dns-name.ts';
import { parseMac, type Mac } from '../model/mac.ts';
import { type MacEntry, type PeerRecord, SEQUENCE_MAX } from '../model/peer.ts';
import { isVni, type Vni } from '../model/vni.ts';
import { EPOCH_MAX } from './order.ts';
import { asFields, asIp, asList, asNumber, asText, refuse, type Fields } from '../model/fields.ts';
import { asNameOf, asVteps, parseWith, type Parsed } from './parse.ts';

/** What the topic of a record says about it; the body must say the same. */
export type RecordAddress = { readonly fleet: string; readonly vni: Vni; readonly gw: string };

const MAX_MACS = 4096;
const MAX_IPS_PER_MAC = 32;
/** A workload's name and the 64 aliases that a document may give it. */
export const MAX_NAMES_PER_MAC = 65;
const MAX_CAPS = 32;
const MAX_PAGES = 64;
/** IPv4's least MTU (RFC 791) up to the largest length field. */
const [MIN_MTU, MAX_MTU] = [68, 65_535];
const WORD = /^[a-z0-9:._-]{1,64}$/;

/** Reads a record from bytes that anybody may have written; unknown fields are ignored. */
export function parseRecord(payload: Uint8Array, address: RecordAddress): Parsed<PeerRecord> {
  return parseWith(payload, (fields) => readRecord(fields, address));
}

function readRecord(fields: Fields, address: RecordAddress): PeerRecord {
  if (fields['v'] !== 1) refuse('v', '1');
  if (!isVni(fields['vni']) || fields['vni'] !== address.vni) refuse('vni', `${address.vni} as in the topic`);
  return {
    v: 1,
    fleet: asNameOf('fleet', fields['fleet'], address.fleet),
    vni: address.vni,
    gw: asNameOf('gw', fields['gw'], address.gw),
    epoch: asNumber('epoch', fields['epoch'], 0, EPOCH_MAX),
    seq: asNumber('seq', fields['seq'], 0, Number.MAX_SAFE_INTEGER),
    iat: asNumber('iat', fields['iat'], 0, Number.MAX_SAFE_INTEGER),
    exp: asNumber('exp', fields['exp'], 0, Number.MAX_SAFE_INTEGER),
    vtep: asVteps(fields['vtep'], 1),
    mtu: asNumber('mtu', fields['mtu'], MIN_MTU, MAX_MTU),
    bum: asText('bum', fields['bum'], WORD),
    caps: asList('caps', fields['caps'] ?? [], MAX_CAPS).map((cap) => asText('caps', cap, WORD)),
    macs: readMacs(fields['macs']),
    pages: asNumber('pages', fields['pages'] ?? 0, 0, MAX_PAGES),
  };
}

function readMacs(value: unknown): readonly MacEntry[] {
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

/** The record's bytes as published: JSON with a fixed order of fields, so that equal records have equal bytes. */
export function encodeRecord(record: PeerRecord): Buffer {
  const { v, fleet, vni, gw, epoch, seq, iat, exp, mtu, bum, caps, pages } = record;
  const vtep = record.vtep.map(({ ip, port }) => ({ ip, port }));
  // Names only where there are any: a record without them has the bytes, and so the digest, that it always had.
  const macs = record.macs.map(({ m, ip, q, s, n = [] }) => ({ m, ip, q, s, ...(n.length > 0 && { n }) }));
  return Buffer.from(JSON.stringify({ v, fleet, vni, gw, epoch, seq, iat, exp, vtep, mtu, bum, caps, macs, pages }));
}

/** First 16 hex digits of the SHA-256 over a record's bytes, as listed in its owner's manifest. */
export function digestOfBytes(payload: Uint8Array): string {
  return createHash('sha256').update(payload).digest('hex').slice(0, 16);
}

/** The digest of a record of ours (`digestOfBytes` over its encoding). */
export function digestOf(record: PeerRecord): string {
  return digestOfBytes(encodeRecord(record));
}
