import type { Neighbour } from '../model/peer.ts';
import {
  addNeighbours,
  neighbourDumps,
  readMark,
  readNeighbours,
  removeNeighbours,
} from '../packet/neighbour-elements.ts';
import { NEIGHBOUR_RULES, neighbourTable, SUPPRESSED } from '../packet/neighbour-rules.ts';
import { NETLINK, text } from '../packet/netlink.ts';
import { change, NFT, type NftChange, nftDump, NFT_FAMILY } from '../packet/nft-batch.ts';
import { readTable } from '../packet/nft-objects.ts';
import type { GuardCounters } from './guard-tables.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';
import { ask } from './netlink.ts';
import { commit, tryChanges } from './nft-commit.ts';
import { whileRulesetStands } from './ruleset.ts';

/** With another number for other rules: what a former version of Linkspan wrote is then written anew. */
const VERSION = 1;
const PREFIX = 'linkspan_neighbours-';
const TRIAL = 'linkspan_trial';
const [ENOENT, ENODEV] = [2, 19];
/** A batch goes in one message, and may not be larger than the socket's buffer: 88 KB of 208. */
const CHANGES_AT_ONCE = 4;

/** What answers for neighbours on the way out of a port. */
export type ObservedNeighbours = {
  /** index of the interface that the answers go out by; undefined where the rules are not those of this version, and whole */
  readonly answerer: number | undefined;
  readonly rows: readonly Neighbour[];
};

export type NeighbourChange = {
  readonly port: string;
  /** name of the interface that the answers go out by */
  readonly answerer: string;
  /** everything anew; `add` is then all */
  readonly whole: boolean;
  readonly add: readonly Neighbour[];
  readonly remove: readonly Neighbour[];
};

/** Of the family netdev. */
function tableOf(port: string): string {
  return `${PREFIX}${port}`;
}

/** How many requests the tables that stand have answered, all together. */
export function suppressedRequests(counters: GuardCounters): number {
  const own = [...counters].filter(([key]) => key.startsWith(`netdev ${PREFIX}`));
  return own.reduce((sum, [, held]) => sum + (held.get(SUPPRESSED) ?? 0), 0);
}

/** The tables that stand, by port. */
export const readNeighbourTables = whileRulesetStands(async (): Promise<ReadonlyMap<string, ObservedNeighbours>> => {
  const [answer = []] = await netfilter([nftDump(NFT.GET_TABLE, NFT_FAMILY.NETDEV)]);
  const names = answer.flatMap((one) => readTable(one)?.name ?? []).filter((name) => name.startsWith(PREFIX));
  const read = await Promise.all(names.map(async (name) => [name.slice(PREFIX.length), await readOne(name)] as const));
  return new Map(read);
});

async function readOne(table: string): Promise<ObservedNeighbours> {
  const [rules = [], ...maps] = await netfilter(neighbourDumps(table));
  const marks = rules.flatMap((rule) => readMark(rule) ?? []);
  const [first = ''] = marks;
  const same = marks.length === NEIGHBOUR_RULES && marks.every((mark) => mark === first);
  const answerer = same ? answererIn(first) : undefined;
  return { answerer, rows: maps.flat().flatMap((message) => readNeighbours(message)) };
}

const markOf = (answerer: number): string => `linkspan ${VERSION} ${answerer}`;

function answererIn(mark: string): number | undefined {
  const answerer = Number(mark.split(' ')[2]);
  return mark === markOf(answerer) ? answerer : undefined;
}

/** Without nftables in the kernel there is nothing; what is gone meanwhile is seen by the next look. */
async function netfilter(questions: readonly Buffer[]): ReturnType<typeof ask> {
  try {
    return await ask(questions, { protocol: LINUX.NETLINK_NETFILTER });
  } catch (error) {
    if (error instanceof SystemCallError) return [];
    throw error;
  }
}

let known: boolean | undefined;

/**
 * Whether the kernel takes the rules that answer (nftables on the way out with `fwd` there), asked once for
 * each process: they are sent with a change that must fail, so that nothing comes of them.
 */
export async function canAnswer(): Promise<boolean> {
  known ??= await trial();
  return known ?? false;
}

/** Undefined where the kernel gave no answer to every change. */
async function trial(): Promise<boolean | undefined> {
  const changes = [...neighbourTable(TRIAL, 'lo', 1, ''), deletion(`${TRIAL}_none`)];
  const results = await tryChanges(NFT_FAMILY.NETDEV, changes).catch((error: unknown) => {
    if (error instanceof SystemCallError) return [];
    throw error;
  });
  if (results.length !== changes.length) return undefined;
  return results.every((errno, at) => errno === (at < changes.length - 1 ? 0 : ENOENT));
}

function deletion(table: string): NftChange {
  return change(NFT.DELETE_TABLE, 0, text(1, table));
}

/** @throws SystemCallError where the kernel refuses: somebody else has changed the table meanwhile, say */
export async function syncNeighbours({ port, answerer, whole, add, remove }: NeighbourChange): Promise<void> {
  const table = tableOf(port);
  const index = libc().ifNameToIndex(answerer);
  if (index === 0) throw new SystemCallError('if_nametoindex', ENODEV);
  const first = whole ? [creation(table), deletion(table), ...neighbourTable(table, port, index, markOf(index))] : [];
  const rest = [...removeNeighbours(table, remove), ...addNeighbours(table, add)];
  await commit(NFT_FAMILY.NETDEV, [...first, ...rest.slice(0, CHANGES_AT_ONCE)]);
  for (let at = CHANGES_AT_ONCE; at < rest.length; at += CHANGES_AT_ONCE) {
    await commit(NFT_FAMILY.NETDEV, rest.slice(at, at + CHANGES_AT_ONCE));
  }
}

function creation(table: string): NftChange {
  return change(NFT.NEW_TABLE, NETLINK.CREATE, text(1, table));
}

/** From now on all ask at all sites. */
export async function clearNeighbours(port: string): Promise<void> {
  const table = tableOf(port);
  await commit(NFT_FAMILY.NETDEV, [creation(table), deletion(table)]);
}
