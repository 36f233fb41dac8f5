import type { Refusal } from '../request/refusal.ts';
import type { FdbEntry, PeerStatus } from '../../model/status.ts';
import { type ClearRequest, parseClear } from '../request/attach-request.ts';
import type { Decision, Submission } from '../documents/answers.ts';
import { parseProbe, type probePeers } from '../probes/probe-peers.ts';
import { BadRequest, type Fields, optional, required, shown } from '../request/request-body.ts';
import { refused, type RpcAnswer } from './request.ts';
import type { RpcMethod, RpcMethods } from './server.ts';

/** What operators may ask of the gateway over the broker. */
export interface RpcSource {
  peers(): readonly PeerStatus[];
  fdb(): readonly FdbEntry[];
  /** Applies the running document with an RFC 7396 merge patch to its `spec`, as the next version. */
  patch(ifVersion: number, patch: Fields): Submission;
  confirm(version: number): Decision;
  /** Goes back from version `ifVersion` to `version`; undefined: to what was applied before. */
  rollback(ifVersion: number, version: number | undefined): Decision;
  /** Asks one gateway's VTEP over the underlay, or all. */
  probe(gateway: string | undefined): ReturnType<typeof probePeers>;
  clear(request: ClearRequest): Promise<{ readonly ok: true; readonly cleared: string } | Refusal>;
  /** Restarts into that firmware, which must be installed. */
  activate(version: string): Promise<{ readonly ok: true; readonly version: string } | Refusal>;
}

/** Entries in one answer, and their bytes as JSON, which every broker takes; the answer says where the next begin. */
const PAGE = 1000;
const PAGE_BYTES = 120 * 1024;

const reads = (run: RpcMethod['run']): RpcMethod => ({ changes: false, run });
const changes = (run: RpcMethod['run']): RpcMethod => ({ changes: true, run });

/** Each waits for half a minute where a way is silent, and searches as large as the fleet is. */
const PROBES_MAX = 4;

export function rpcMethods(source: RpcSource): RpcMethods {
  const one = limited(PROBES_MAX);
  return new Map([
    ['peers', reads((params) => paged('peers', source.peers(), params))],
    ['fdb', reads((params) => fdb(source, params))],
    ['probe', reads((params) => one(() => probe(source, params)))],
    ['patch', changes((params) => patch(source, params))],
    ['confirm', changes((params) => decided(source.confirm(versionIn(params, 'version'))))],
    ['rollback', changes((params) => rollback(source, params))],
    ['clear', changes((params) => clear(source, params))],
    ['activate', changes((params) => activate(source, params))],
  ]);
}

function fdb(source: RpcSource, params: Fields): RpcAnswer {
  const network = optional(params, 'network', '', 'params.');
  const entries = source.fdb();
  return paged('entries', network === undefined ? entries : entries.filter((e) => e.network === network), params);
}

function patch(source: RpcSource, params: Fields): RpcAnswer {
  const fields = params['patch'];
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw new BadRequest('params.patch: not an object; give a merge patch (RFC 7396) of the document\'s "spec"');
  const outcome = source.patch(versionIn(params, 'ifVersion'), fields as Fields);
  return outcome.accepted
    ? { ok: true, result: { version: outcome.version } }
    : { ok: false, errors: outcome.problems };
}

function rollback(source: RpcSource, params: Fields): RpcAnswer {
  const version = params['version'] === undefined ? undefined : numberIn(params, 'version');
  return decided(source.rollback(versionIn(params, 'ifVersion'), version));
}

function decided(decision: Decision): RpcAnswer {
  if (!decision.ok) return { ok: false, errors: [decision.problem] };
  return { ok: true, result: { version: decision.version, state: decision.state } };
}

/** Runs so many at a time; what comes beyond is refused. */
function limited(most: number): (run: () => Promise<RpcAnswer>) => Promise<RpcAnswer> {
  let running = 0;
  return async (run) => {
    if (running >= most) return refused('busy', `${most} probes are under way; ask again later, under another id`);
    running += 1;
    return run().finally(() => void (running -= 1));
  };
}

async function probe(source: RpcSource, params: Fields): Promise<RpcAnswer> {
  const outcome = await source.probe(parseProbe(params));
  return outcome.ok ? paged('peers', outcome.peers, params) : { ok: false, errors: [outcome.problem] };
}

async function clear(source: RpcSource, params: Fields): Promise<RpcAnswer> {
  const outcome = await source.clear(parseClear(params));
  return outcome.ok ? { ok: true, result: { cleared: outcome.cleared } } : { ok: false, errors: [outcome.problem] };
}

async function activate(source: RpcSource, params: Fields): Promise<RpcAnswer> {
  const outcome = await source.activate(required(params, 'version', '', 'params.'));
  return outcome.ok ? { ok: true, result: { version: outcome.version } } : { ok: false, errors: [outcome.problem] };
}

function paged(name: string, all: readonly unknown[], params: Fields): RpcAnswer {
  const from = params['from'] === undefined ? 0 : numberIn(params, 'from');
  const page = fitting(all.slice(from, from + PAGE));
  const next = from + page.length;
  const result = { [name]: page, total: all.length, ...(next < all.length && { next }) };
  return { ok: true, result };
}

/** As many of the first ones as fit, one at least: a peer in a thousand VNIs is longer than most. */
function fitting(entries: readonly unknown[]): readonly unknown[] {
  let bytes = 0;
  const end = entries.findIndex((entry, n) => {
    bytes += Buffer.byteLength(JSON.stringify(entry)) + 1;
    return n > 0 && bytes > PAGE_BYTES;
  });
  return end < 0 ? entries : entries.slice(0, end);
}

/** A change says which version it is about, so that one which comes late or twice changes nothing. */
function versionIn(params: Fields, name: string): number {
  if (params[name] === undefined)
    throw new BadRequest(`params.${name}: missing; give the version that the request is about, by the reported state`);
  return numberIn(params, name);
}

function numberIn(params: Fields, name: string): number {
  const value = params[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new BadRequest(`params.${name}: ${shown(value)} is not a number from 0 up`);
}
