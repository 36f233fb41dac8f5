import type { DesiredState } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { buildState } from './build.ts';
import { documentHash } from './canonical.ts';
import { crossCheck } from './check.ts';
import { parseJson } from './json.ts';
import type { RawDocument } from './raw.ts';
import { resolve } from './resolve.ts';
import type { CheckContext } from './resolved.ts';
import { checkSchema } from './schema.ts';

/** A document larger than this, in bytes, is refused unread. */
export const DOCUMENT_MAX = 1024 * 1024;

/** More problems than this help nobody, and the report of a hostile document must stay small. */
const PROBLEMS_MAX = 20;
const PATH_MAX = 1024;

/** `gateway` is this gateway's name; see CheckContext for `interfaces`. */
export type ParseContext = CheckContext & { readonly gateway: string };

/**
 * A valid document: `hash` is SHA-256 in hex over its meaning (white space and key order do not count), `text` what
 * the operator wrote.
 */
export type ParsedDocument = {
  readonly version: number;
  readonly hash: string;
  readonly state: DesiredState;
  /** seconds within which an operator must confirm it; null: none need */
  readonly confirmS: number | null;
  readonly text: string;
};

/** `version` is there whenever the refused document had a readable one. */
export type ParseResult =
  | { readonly ok: true; readonly document: ParsedDocument }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly version?: number };

/** Parses and checks a desired document whole: the typed state, or at most 20 problems. Never throws. */
export function parseDesired(bytes: Uint8Array, context: ParseContext): ParseResult {
  if (bytes.byteLength > DOCUMENT_MAX) return rejected([tooLarge(bytes.byteLength)]);
  const text = decode(bytes);
  if (text === undefined)
    return rejected([malformed('the document is not UTF-8 text; save it as UTF-8 and publish again')]);
  const json = parseJson(text);
  if (!json.ok) return rejected([malformed(json.message)]);
  return parseValue(json.value, text, context);
}

function parseValue(value: unknown, text: string, context: ParseContext): ParseResult {
  const version = versionOf(value);
  const checked = checkSchema(value);
  if (isProblems(checked)) return rejected(checked, version);
  const elsewhere = wrongGateway(checked, context.gateway);
  if (elsewhere) return rejected([elsewhere], version);
  const { resolved, problems: unreadable } = resolve(checked);
  if (unreadable.length > 0) return rejected(unreadable, version);
  const problems = crossCheck(resolved, context);
  if (problems.length > 0) return rejected(problems, version);
  const state = buildState(resolved);
  const confirmS = checked.confirm?.timeout_s ?? null;
  return { ok: true, document: { version: checked.version, hash: documentHash(checked), state, confirmS, text } };
}

function isProblems(checked: RawDocument | readonly Problem[]): checked is readonly Problem[] {
  return Array.isArray(checked);
}

function rejected(problems: readonly Problem[], version?: number): ParseResult {
  const bounded = problems
    .slice(0, PROBLEMS_MAX)
    .map(({ path, code, message }) => ({ path: path.slice(0, PATH_MAX), code, message }));
  return { ok: false, problems: bounded, ...(version !== undefined && { version }) };
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function versionOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null || !('version' in value)) return undefined;
  return Number.isSafeInteger(value.version) ? (value.version as number) : undefined;
}

function tooLarge(size: number): Problem {
  const message = `the document has ${size} bytes and may have ${DOCUMENT_MAX}; split it over several gateways or shorten it`;
  return { path: '', code: 'too_large', message };
}

function malformed(message: string): Problem {
  return { path: '', code: 'malformed', message };
}

function wrongGateway(document: RawDocument, gateway: string): Problem | undefined {
  if (document.gateway === undefined || document.gateway === gateway) return undefined;
  const message = `gateway names ${document.gateway}, but this gateway is ${gateway}; publish it on that gateway's topic`;
  return { path: '/gateway', code: 'wrong_gateway', message };
}
