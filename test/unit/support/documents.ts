import { parseDesired } from '../../../src/document/index.ts';
import type { ParseResult } from '../../../src/document/index.ts';

export type Json = Record<string, unknown>;

export const CONTEXT = { gateway: 'gw-a', interfaces: new Set(['eth0', 'eth1']) };
export const NET = '/spec/networks';
export const END = '/spec/workloads';

export function parse(value: unknown): ParseResult {
  return parseText(JSON.stringify(value));
}

export function parseText(text: string): ParseResult {
  return parseDesired(new TextEncoder().encode(text), CONTEXT);
}

export function problemsOf(result: ParseResult): string[] {
  return result.ok ? [] : result.problems.map(({ code, path }) => `${code} ${path}`);
}

export function documentOf(result: ParseResult): Extract<ParseResult, { ok: true }>['document'] {
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.document;
}

/** A document of these networks and workloads on the uplinks `lan` (eth0) and `lan2` (eth1). */
export function document(networks: Json, workloads: Json = {}, version = 1): Json {
  const uplinks = { lan: { interface: 'eth0' }, lan2: { interface: 'eth1' } };
  return { v: 1, version, spec: { uplinks, networks, workloads } };
}

/** A workload in its own namespace. */
export function workload(networks: Json, netns = 'w'): Json {
  return { sandbox: { netns }, networks };
}

export const overlay = (vni: number, rest: Json = {}): Json => ({ driver: 'overlay', vni, ...rest });
export const macvlan = (rest: Json = {}): Json => ({ driver: 'macvlan', uplink: 'lan', ...rest });
export const ipvlan = (rest: Json = {}): Json => ({ driver: 'ipvlan', uplink: 'lan', ...rest });
export const bridge = (subnet: string, rest: Json = {}): Json => ({ driver: 'bridge', subnet, ...rest });
