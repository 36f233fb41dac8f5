import { hash } from 'node:crypto';
import { formatIpPrefix, networkOf, parseIpPrefix } from '../model/ip.ts';
import type { Listing, PeerRecord, RouteEntry } from '../model/peer.ts';
import { isVni, type Vni } from '../model/vni.ts';
import { EPOCH_MAX } from './order.ts';
import { asFields, asList, asNumber, asText, refuse, type Fields } from '../model/fields.ts';
import { readMacs, writeMacs } from './macs.ts';
import { asListing, asNameOf, asVteps, parseWith, type Parsed } from './parse.ts';

/** What the topic of a record says about it; the body must say the same. */
export type RecordAddress = { readonly fleet: string; readonly vni: Vni; readonly gw: string };

const MAX_CAPS = 32;
const MAX_ROUTES = 64;
/** Further pages of a table: with the base record 13,000 MACs of one gateway in one VNI. */
export const MAX_PAGES = 64;
/** IPv4's least MTU (RFC 791) up to the largest length field. */
const [MIN_MTU, MAX_MTU] = [68, 65_535];
const WORD = /^[a-z0-9:._-]{1,64}$/;

/** Reads a record from bytes that anybody may have written; unknown fields are ignored. */
export function parseRecord(payload: Uint8Array, address: RecordAddress, json?: object): Parsed<PeerRecord> {
  return parseWith(payload, (fields) => readRecord(fields, address), json);
}

function readRecord(fields: Fields, address: RecordAddress): PeerRecord {
  if (fields['v'] !== 1) refuse('v', '1');
  if (!isVni(fields['vni']) || fields['vni'] !== address.vni) refuse('vni', `${address.vni} as in the topic`);
  const pages = asNumber('pages', fields['pages'] ?? 0, 0, MAX_PAGES);
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
    ...(fields['routes'] !== undefined && { routes: asList('routes', fields['routes'], MAX_ROUTES).map(readRoute) }),
    pages,
    ...(pages > 0 && { parts: readParts(fields['parts'], pages) }),
  };
}

function readRoute(value: unknown): RouteEntry {
  const { p } = asFields('routes', value);
  const prefix = typeof p === 'string' && p.length <= 64 ? parseIpPrefix(p) : undefined;
  return { p: formatIpPrefix(networkOf(prefix ?? refuse('routes.p', 'a prefix such as 10.110.0.0/24'))) };
}

function readParts(value: unknown, pages: number): readonly Listing[] {
  const parts = asList('parts', value, pages);
  if (parts.length < pages) refuse('parts', `a list of ${pages}, as many as pages`);
  return parts.map((part) => asListing('parts', part));
}

/** The record's bytes as published: JSON with a fixed order of fields, so that equal records have equal bytes. */
export function encodeRecord(record: PeerRecord): Buffer {
  const { v, fleet, vni, gw, epoch, seq, iat, exp, mtu, bum, caps, routes, pages, parts } = record;
  const vtep = record.vtep.map(({ ip, port }) => ({ ip, port }));
  const macs = writeMacs(record.macs);
  // `routes` and `parts` only where there are any: a record without has the bytes, and so the digest, that it always had.
  const body = { v, fleet, vni, gw, epoch, seq, iat, exp, vtep, mtu, bum, caps, macs, routes, pages, parts };
  return Buffer.from(JSON.stringify(body));
}

/** First 16 hex digits of the SHA-256 over a record's bytes, as listed in its owner's manifest. */
export function digestOfBytes(payload: Uint8Array): string {
  return hash('sha256', payload).slice(0, 16);
}

/** The digest of a record of ours (`digestOfBytes` over its encoding). */
export function digestOf(record: PeerRecord): string {
  return digestOfBytes(encodeRecord(record));
}
