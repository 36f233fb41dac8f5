import { CUT_SET } from '../model/guards.ts';
import type { NetlinkMessage } from '../packet/netlink-read.ts';
import type { NftTable } from '../packet/nft-objects.ts';
import {
  counterDump,
  elementDump,
  readCounter,
  readElementAge,
  readTable as readTableName,
  tableDump,
} from '../packet/nft-objects.ts';
import { readTable } from './firewall.ts';
import { LINUX, SystemCallError } from './libc.ts';
import { ask } from './netlink.ts';
import { whileRulesetStands } from './ruleset.ts';
import { CommandError, run } from './run.ts';

/** A table of ours beside those of `firewall.ts`, as nft and a plan name it: `netdev linkspan-lsx-line`. */
export type GuardKey = `${'inet' | 'netdev'} linkspan-${string}`;

/** Where a network's port can be guarded: frames that come in (nf_tables for netdev), that go out (Linux 5.16). */
export type GuardHooks = 'none' | 'in' | 'both';

export type ObservedGuards = {
  readonly hooks: GuardHooks;
  /** whether a port can answer tunnel probes, and keep forged ones in */
  readonly tunnel: boolean;
  /** fingerprints of the tables that stand */
  readonly tables: ReadonlyMap<GuardKey, string>;
  /** those of them that have cut a loop at present */
  readonly cut: ReadonlySet<GuardKey>;
};

/** Packets of each table's counters, by their names; of the tables that answer for neighbours, too. */
export type GuardCounters = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** @param wanted whether there is anything to guard, which is when the kernel is asked for its hooks */
export async function readGuards(wanted: boolean): Promise<ObservedGuards> {
  const [hooks, tables] = await Promise.all([wanted ? guardHooks() : ('none' as const), readTables()]);
  const cuts = await readCuts([...tables.keys()].filter((key) => key.includes('/')));
  const tunnel = hooks === 'both' && (await canReflect());
  return { hooks, tunnel, tables, cut: new Set(cuts.keys()) };
}

/** Which tables there are costs a question to the kernel, what is in them a child process for each. */
const readTables = whileRulesetStands(async (): Promise<ObservedGuards['tables']> => {
  const answer = (await netfilter(tableDump())) ?? [];
  const keys = answer.flatMap((one) => ourKey(readTableName(one)) ?? []);
  const listed = await Promise.all(
    keys.map(async (key) => {
      const { family, name } = partsOf(key);
      return [key, (await readTable(family, name))?.fingerprint ?? ''] as const;
    }),
  );
  return new Map(listed);
});

/** Some tenths of a millisecond. Undefined where the kernel does not tell: it has no nftables, say. */
export async function readGuardCounters(): Promise<GuardCounters | undefined> {
  const answer = await netfilter(counterDump());
  if (answer === undefined) return undefined;
  const counters = new Map<string, Map<string, number>>();
  for (const { family, table, name, packets } of answer.flatMap((one) => readCounter(one) ?? [])) {
    const key = `${family} ${table}`;
    if (/ linkspan[-_]/.test(key))
      counters.set(key, (counters.get(key) ?? new Map<string, number>()).set(name, packets));
  }
  return counters;
}

/** Those of these tables that have cut a loop, and how many milliseconds ago it was seen last. */
export async function readCuts(keys: readonly GuardKey[]): Promise<ReadonlyMap<GuardKey, number>> {
  const cuts = await Promise.all(
    keys.map(async (key) => {
      const answer = (await netfilter(elementDump(partsOf(key), CUT_SET))) ?? [];
      return answer.flatMap((one) => readElementAge(one) ?? []).map((age) => [key, age] as const);
    }),
  );
  return new Map(cuts.flat());
}

/** @throws CommandError where the table is gone */
export async function endCut(key: GuardKey): Promise<void> {
  const { family, name } = partsOf(key);
  await run(['nft', 'flush', 'set', family, name, CUT_SET]);
}

async function netfilter(question: Buffer): Promise<readonly NetlinkMessage[] | undefined> {
  try {
    const [answer] = await ask([question], { protocol: LINUX.NETLINK_NETFILTER });
    return answer;
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  }
}

function ourKey(table: NftTable | undefined): GuardKey | undefined {
  const key = `${table?.family ?? ''} ${table?.name ?? ''}`;
  return /^(?:inet|netdev) linkspan-/.test(key) ? (key as GuardKey) : undefined;
}

function partsOf(key: GuardKey): { readonly family: 'inet' | 'netdev'; readonly name: string } {
  const [family = '', name = ''] = key.split(' ');
  return { family: family as 'inet' | 'netdev', name };
}

let known: GuardHooks = 'none';

/** By rules that the kernel looks at and does not take (nft --check); what it once had it keeps. */
async function guardHooks(): Promise<GuardHooks> {
  if (known === 'none') known = (await takes('egress')) ? 'both' : (await takes('ingress')) ? 'in' : 'none';
  return known;
}

let reflects: boolean | undefined;

/**
 * A frame written anew, and sent out by an interface (Linux 4.18 or so; nft_fwd_netdev); and who sent it. All that no other
 * rule of a port has: where one of them is refused, the whole table is.
 */
async function canReflect(): Promise<boolean> {
  reflects ??=
    (await takes('ingress', 'ether daddr set ether saddr @ll,144,8 set 2 fwd to "lo"')) &&
    (await takes('egress', 'meta skuid != 4294967295 accept'));
  return reflects;
}

function takes(hook: 'egress' | 'ingress', rule = ''): Promise<boolean> {
  const chain = `chain probe { type filter hook ${hook} device "lo" priority filter; ${rule}\n}`;
  return run(['nft', '--check', '-f', '-'], `table netdev linkspan-probe {\n${chain}\n}\n`).then(
    () => true,
    (error: unknown) => {
      if (error instanceof CommandError) return false;
      throw error;
    },
  );
}

/**
 * Replaces a table's rules in one transaction and leaves its counters; an empty body takes the table away.
 * @throws CommandError where the kernel refuses: a device of it is gone, say
 */
export async function applyGuards(key: GuardKey, body: string): Promise<void> {
  const old = `table ${key} {}\n`;
  const script = body === '' ? `delete table ${key}\n` : `flush table ${key}\ntable ${key} {\n${body}}\n`;
  await run(['nft', '-f', '-'], old + script);
}

/** What `readGuards` will tell of the table. */
export async function readGuardTable(key: GuardKey): Promise<string | undefined> {
  const { family, name } = partsOf(key);
  return (await readTable(family, name))?.fingerprint;
}
