import { parseIp } from '../model/ip.ts';
import type { Vtep } from '../model/peer.ts';
import { LinkspanError } from '../service/errors.ts';

/** The largest payload that is read at all; what is larger is refused before it is parsed. */
export const MAX_PAYLOAD = 64 * 1024;

const NAME = /^[a-z0-9-]{1,63}$/;
const MAX_VTEPS = 8;
// "this host", loopback, link-local, multicast, reserved and broadcast: none is where a gateway's packets go
const NO_VTEP = /^(0\.|127\.|169\.254\.|22[4-9]\.|23\d\.|24\d\.|25[0-5]\.|ff|fe[89ab])|^::1?$|^::ffff:/;

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** Fields of a JSON object that nobody has checked yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Leaves the parser that runs; `parseWith` makes a reason of it. */
export function refuse(field: string, want: string): never {
  throw new LinkspanError({ code: 'invalid', object: field, reason: 'is not valid', remedy: `it must be ${want}` });
}

/** Runs `read` over the JSON object in `payload` (UTF-8, at most 64 KiB); any refusal becomes a reason. */
export function parseWith<T>(payload: Uint8Array, read: (fields: Fields) => T): Parsed<T> {
  if (payload.length > MAX_PAYLOAD) return { ok: false, reason: `larger than ${MAX_PAYLOAD} bytes` };
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return { ok: true, value: read(asFields('document', value)) };
  } catch (error) {
    if (error instanceof LinkspanError) return { ok: false, reason: error.message };
    return { ok: false, reason: 'not JSON in UTF-8' };
  }
}

export function asFields(field: string, value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(field, 'a JSON object');
  return value as Fields;
}

export function asList(field: string, value: unknown, max: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > max) refuse(field, `a list of at most ${max}`);
  return value as unknown[];
}

export function asNumber(field: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    refuse(field, `a whole number from ${min} to ${max}`);
  }
  return value;
}

export function asText(field: string, value: unknown, pattern: RegExp): string {
  if (typeof value !== 'string' || !pattern.test(value)) refuse(field, `text that matches ${pattern.source}`);
  return value;
}

/** A gateway's or fleet's name, which must be the one the topic names. */
export function asNameOf(field: string, value: unknown, topic: string): string {
  const name = asText(field, value, NAME);
  if (name !== topic) refuse(field, `"${topic}" as in the topic`);
  return name;
}

export function asIp(field: string, value: unknown): string {
  const ip = typeof value === 'string' && value.length <= 64 ? parseIp(value) : undefined;
  return ip ?? refuse(field, 'an IPv4 or IPv6 address');
}

/** Tunnel endpoints: at most 8, each a unicast address and a UDP port. */
export function asVteps(value: unknown, min: number): readonly Vtep[] {
  const list = asList('vtep', value, MAX_VTEPS);
  if (list.length < min) refuse('vtep', `a list of at least ${min}`);
  return list.map((item) => {
    const fields = asFields('vtep', item);
    const ip = asIp('vtep.ip', fields['ip']);
    if (NO_VTEP.test(ip)) refuse('vtep.ip', 'a unicast address');
    return { ip, port: asNumber('vtep.port', fields['port'], 1, 65_535) };
  });
}
