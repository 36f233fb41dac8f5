import { messageOf } from '../../service/errors.ts';

/** A request that breaks its own rules: 400, nothing was asked of the gateway. */
export class BadRequest extends Error {}

const SHOWN_MAX = 200;

/** A value from a request, fit for a message: it may be a mebibyte. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

/** What a JSON object holds, before anything of it is believed. */
export type Fields = Readonly<Record<string, unknown>>;

/** @throws BadRequest */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
  } catch (error) {
    throw new BadRequest(`the body is not JSON: ${messageOf(error)}; send one JSON object in UTF-8`, { cause: error });
  }
}

/** @throws BadRequest */
export function parseObject(body: Uint8Array): Fields {
  return asObject(parseJson(body), 'the body');
}

/** @throws BadRequest */
export function asObject(value: unknown, object: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new BadRequest(`${object} is not a JSON object; GET /openapi.json says what it holds`);
}

/** @throws BadRequest where there is no such text */
export function required(fields: Fields, name: string, pattern: string, prefix = ''): string {
  const value = optional(fields, name, pattern, prefix);
  if (value === undefined) throw new BadRequest(`${prefix}${name}: missing; give it as a string`);
  return value;
}

/** @throws BadRequest where there is something else than a text of that pattern (empty: any) */
export function optional(fields: Fields, name: string, pattern = '', prefix = ''): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined) return undefined;
  if (typeof value === 'string' && new RegExp(pattern, 'u').test(value)) return value;
  throw new BadRequest(`${prefix}${name}: ${shown(value)} is not valid here${pattern && `; it must match ${pattern}`}`);
}
