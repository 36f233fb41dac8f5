import { LinkspanError } from '../service/errors.ts';
import { parseIp } from './ip.ts';

/** Fields of a JSON object that nobody has checked yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Leaves the reader that runs. @throws LinkspanError `invalid` */
export function refuse(field: string, want: string): never {
  throw new LinkspanError({ code: 'invalid', object: field, reason: 'is not valid', remedy: `it must be ${want}` });
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

export function asIp(field: string, value: unknown): string {
  const ip = typeof value === 'string' && value.length <= 64 ? parseIp(value) : undefined;
  return ip ?? refuse(field, 'an IPv4 or IPv6 address');
}
