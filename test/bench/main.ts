import { attachCommand } from './commands/attach.ts';
import type { Command } from './commands/command.ts';
import { UsageError } from './commands/command.ts';
import { controlCommand } from './commands/control.ts';
import { datapathCommand } from './commands/datapath.ts';
import { soakCommand } from './commands/soak.ts';

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['datapath', datapathCommand],
  ['attach', attachCommand],
  ['soak', soakCommand],
  ['control', controlCommand],
]);

const NAMES = [...COMMANDS.keys()].join('|');

const USAGE = [
  `usage: scripts/bench ${NAMES} [options]; needs root, works in network namespaces of this machine`,
  ...[...COMMANDS.values()].map(({ usage }) => `scripts/bench ${usage}`),
].join('\n\n');

function prepare([word = '', ...options]: readonly string[]): () => Promise<number> {
  const command = COMMANDS.get(word);
  if (!command) throw new UsageError(`name what to measure first: ${NAMES}`);
  return command.prepare(options);
}

function prepareOrExplain(words: readonly string[]): (() => Promise<number>) | undefined {
  try {
    return prepare(words);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    process.exitCode = 2;
    return undefined;
  }
}

const words = process.argv.slice(2);
if (words.includes('--help')) {
  process.stdout.write(`${USAGE}\n`);
} else {
  const run = prepareOrExplain(words);
  if (run) process.exitCode = await run();
}
