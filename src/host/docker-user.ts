import { readFile } from 'node:fs/promises';
import { whileRulesetStands } from './ruleset.ts';
import { CommandError, run } from './run.ts';

/** Docker keeps this chain for its user's own rules, and passes every forwarded packet through it first. */
const CHAIN = 'DOCKER-USER';
/** Marks the rules that are ours. */
const COMMENT = ['-m', 'comment', '--comment', 'linkspan'];
const COMMANDS: Readonly<Record<4 | 6, string>> = { 4: 'iptables', 6: 'ip6tables' };

/** What Docker made of one family's packet filter. */
export type ObservedDocker = {
  /** ours, each as the words between chain and mark */
  readonly rules: readonly string[];
  /** bridges of Docker's own networks */
  readonly bridges: ReadonlySet<string>;
};

/** Undefined where there is no Docker that filters that family. */
export type ObservedDockers = Readonly<Record<4 | 6, ObservedDocker | undefined>>;

/** Through the command that Docker itself uses, which knows where its rules live (nftables or the older tables). */
export async function readDockers(): Promise<ObservedDockers> {
  return (await hasOlderTables()) ? listAll() : listWhereChanged();
}

async function listAll(): Promise<ObservedDockers> {
  const [four, six] = await Promise.all([list(4), list(6)]);
  return { 4: parseListing(four), 6: parseListing(six) };
}

const listWhereChanged = whileRulesetStands(listAll);

/** Of the tables before nftables, no number tells a change. Where they are not used, there are no such files, or empty ones. */
async function hasOlderTables(): Promise<boolean> {
  const files = ['ip_tables_names', 'ip6_tables_names'].map((name) => `/proc/net/${name}`);
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return texts.some((text) => text !== '');
}

/** A host without that command has no Docker that filters, and what the command cannot read is none of ours either. */
function list(family: 4 | 6): Promise<string> {
  return run([COMMANDS[family], '-w', '5', '-S']).catch((error: unknown) => {
    if (error instanceof CommandError) return '';
    throw error;
  });
}

export function parseListing(text: string): ObservedDocker | undefined {
  const lines = text.split('\n');
  if (!lines.includes(`-N ${CHAIN}`)) return undefined;
  const mark = ` ${COMMENT.join(' ')} -j ACCEPT`;
  const own = lines.filter((line) => line.startsWith(`-A ${CHAIN} `) && line.endsWith(mark));
  const bridges = lines.flatMap((line) => /^-A \S+ -o (\S+)(?: .*)? -j DOCKER$/.exec(line)?.[1] ?? []);
  return {
    rules: own.map((line) => line.slice(`-A ${CHAIN} `.length, -mark.length)),
    bridges: new Set(bridges),
  };
}

/**
 * Takes our rules away and puts others in, behind the user's own: what those refuse stays refused. Each is the words of
 * a match, for what is accepted.
 */
export async function syncDockerUser(family: 4 | 6, add: readonly string[], remove: readonly string[]): Promise<void> {
  const command = [COMMANDS[family], '-w', '5'];
  for (const rule of add) {
    const place = await placeForRule(command);
    await run([...command, '-I', CHAIN, String(place), ...words(rule)]);
  }
  for (const rule of remove) await run([...command, '-D', CHAIN, ...words(rule)]);
}

const words = (rule: string): readonly string[] => [...rule.split(' '), ...COMMENT, '-j', 'ACCEPT'];

/** Before the RETURN that Docker ends the chain with in some of its versions. */
async function placeForRule(command: readonly string[]): Promise<number> {
  const listing = await run([...command, '-S', CHAIN]);
  const rules = listing.split('\n').filter((line) => line.startsWith(`-A ${CHAIN}`));
  return rules.at(-1) === `-A ${CHAIN} -j RETURN` ? rules.length : rules.length + 1;
}
