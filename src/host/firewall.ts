import { createHash } from 'node:crypto';
import { CommandError, run } from './run.ts';

const FAMILY = 'inet';
const TABLE = 'linkspan';

/** What the kernel holds of our nftables table. */
export type ObservedFirewall = {
  /** of the listing without the handles, which change at each load */
  readonly fingerprint: string;
  readonly chains: readonly string[];
};

type RawObject = { chain?: { name: string; handle?: number }; metainfo?: unknown };

/** Our table as it stands, or undefined where there is none (or no nft). */
export async function readFirewall(): Promise<ObservedFirewall | undefined> {
  const text = await run(['nft', '-j', 'list', 'table', FAMILY, TABLE]).catch((error: unknown) => {
    if (error instanceof CommandError) return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const objects = (JSON.parse(text) as { nftables: RawObject[] }).nftables.filter((object) => !object.metainfo);
  const plain = JSON.stringify(objects, (key, value: unknown) => (key === 'handle' ? undefined : value));
  return {
    fingerprint: createHash('sha256').update(plain).digest('hex'),
    chains: objects.flatMap((object) => (object.chain ? [object.chain.name] : [])),
  };
}

/** Replaces our whole table in one transaction: packets see the old rules or the new ones, never neither. */
export async function applyFirewall(body: string): Promise<void> {
  const empty = `table ${FAMILY} ${TABLE} {}\ndelete table ${FAMILY} ${TABLE}\n`;
  await run(['nft', '-f', '-'], body === '' ? empty : `${empty}table ${FAMILY} ${TABLE} {\n${body}}\n`);
}
