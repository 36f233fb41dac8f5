import { createHash } from 'node:crypto';
import { whileRulesetStands } from './ruleset.ts';
import { CommandError, run } from './run.ts';

/** Our two nftables tables: what is routed (with its NAT), and what is bridged between the ports of a bridge. */
export type FirewallFamily = 'inet' | 'bridge';

const TABLE = 'linkspan';

/** What of a listing changes by itself: a handle with each load, a counter with each packet, an element with its time. */
const PASSING = new Set(['handle', 'packets', 'bytes']);

/** What the kernel holds of one of our tables. */
export type ObservedTable = {
  /** of the listing, as far as it is ours */
  readonly fingerprint: string;
  readonly chains: readonly string[];
  /** of sets and maps, by name: parts of a key joined by a space, to those of its value (empty in a set) */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
};

export type ObservedFirewall = Readonly<Partial<Record<FirewallFamily, ObservedTable>>>;

type Value = string | number | { readonly concat: readonly (string | number)[] };
type Timed = { readonly elem: { readonly expires: number } };
type RawSet = { name: string; elem?: readonly (Value | Timed | readonly [Value, Value])[] };
type RawObject = { chain?: { name: string; handle?: number }; set?: RawSet; map?: RawSet; metainfo?: unknown };

/** Our tables as they stand; without one that is not there (or without nft). */
export const readFirewall = whileRulesetStands(async (): Promise<ObservedFirewall> => {
  const [inet, bridge] = await Promise.all([readTable('inet'), readTable('bridge')]);
  return { ...(inet && { inet }), ...(bridge && { bridge }) };
});

/** A table of ours, or undefined. */
export async function readTable(family: FirewallFamily | 'netdev', name = TABLE): Promise<ObservedTable | undefined> {
  const text = await run(['nft', '-j', 'list', 'table', family, name]).catch((error: unknown) => {
    if (error instanceof CommandError) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const objects = (JSON.parse(text) as { nftables: RawObject[] }).nftables.filter((object) => !object.metainfo);
  const plain = JSON.stringify(objects, (key, value: unknown) => (isPassing(key, value) ? undefined : value));
  return {
    fingerprint: createHash('sha256').update(plain).digest('hex'),
    chains: objects.flatMap((object) => (object.chain ? [object.chain.name] : [])),
    elements: new Map(objects.flatMap((object) => elementsOf(object.set ?? object.map))),
  };
}

function isPassing(key: string, value: unknown): boolean {
  return PASSING.has(key) || (key === 'elem' && Array.isArray(value) && value.some((one) => isTimed(one)));
}

/** Put there by a packet, and gone by itself. */
function isTimed(element: unknown): element is Timed {
  const { elem } = (typeof element === 'object' ? (element ?? {}) : {}) as Partial<Timed>;
  return elem?.expires !== undefined;
}

function elementsOf(set: RawSet | undefined): readonly (readonly [string, ReadonlyMap<string, string>])[] {
  if (set === undefined) return [];
  const lasting = (set.elem ?? []).filter((element) => !isTimed(element));
  const pairs = lasting.map((element): readonly [string, string] =>
    Array.isArray(element)
      ? [joined(element[0] as Value), joined(element[1] as Value)]
      : [joined(element as Value), ''],
  );
  return [[set.name, new Map(pairs)]];
}

function joined(value: Value): string {
  return typeof value === 'object' ? value.concat.join(' ') : String(value);
}

/** Replaces one of our tables in one transaction: packets see the old rules or the new ones, never neither. */
export async function applyFirewall(family: FirewallFamily, body: string): Promise<void> {
  const empty = `table ${family} ${TABLE} {}\ndelete table ${family} ${TABLE}\n`;
  await run(['nft', '-f', '-'], body === '' ? empty : `${empty}table ${family} ${TABLE} {\n${body}}\n`);
}
