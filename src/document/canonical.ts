import { createHash } from 'node:crypto';
import type { RawDocument } from './raw.ts';

/**
 * SHA-256, in hex, of the document's meaning: white space and the order of keys do not count, except the order of a
 * workload's networks, which gives its interfaces their default names.
 */
export function documentHash(document: RawDocument): string {
  return createHash('sha256').update(canonicalJson(document, [])).digest('hex');
}

function canonicalJson(value: unknown, path: readonly string[]): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item, [...path, ''])).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value);
  if (!isOrdered(path)) entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item, [...path, key])}`).join(',')}}`;
}

function isOrdered(path: readonly string[]): boolean {
  return path.length === 4 && path[1] === 'workloads' && path[3] === 'networks';
}
