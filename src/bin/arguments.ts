import { parseArgs } from 'node:util';
import { type Bootstrap, describeBootstrap, loadBootstrap, overruled } from '../service/bootstrap.ts';
import { LinkspanError, messageOf } from '../service/errors.ts';
import manifest from '../../package.json' with { type: 'json' };

export const EXIT = { ok: 0, failure: 1, usage: 2, badConfiguration: 78 } as const;

export const { version } = manifest;

/** A program that runs by the bootstrap file: its name, its help, and the flags that choose something else than to run. */
export type Program<Mode extends string> = {
  readonly name: string;
  readonly usage: string;
  readonly modes: readonly Mode[];
};

export type Arguments<Mode extends string> = {
  readonly mode: Mode | 'run';
  readonly bootstrap: Bootstrap;
  /** what the file says in vain, a line each */
  readonly overruled: readonly string[];
};

/** Reads the command line; answers `--help` and `--version`, and ends the program where it is wrong. */
export function readArguments<Mode extends string>(program: Program<Mode>, argv: readonly string[]): Arguments<Mode> {
  const { values, flags } = split(program, argv);
  if (values['help'] === true) {
    process.stdout.write(`${program.usage}${describeBootstrap()}\n`);
    process.exit(EXIT.ok);
  }
  if (values['version'] === true) {
    process.stdout.write(`${program.name} ${version}\n`);
    process.exit(EXIT.ok);
  }
  const modes = program.modes.filter((mode) => values[mode] === true);
  if (modes.length > 1)
    usageError(program.name, `${modes.map((mode) => `--${mode}`).join(' and ')} exclude each other`);
  const file = typeof values['config'] === 'string' ? { file: values['config'] } : {};
  const sources = { ...file, env: process.env, flags };
  return { mode: modes[0] ?? 'run', bootstrap: loadBootstrap(sources), overruled: overruled(sources) };
}

/** Says what went wrong and ends the program: 78 for a configuration, which no restart heals. */
export function fail(name: string, error: unknown): never {
  const bad = error instanceof LinkspanError && error.code === 'bad_configuration';
  process.stderr.write(`${name}: ${messageOf(error)}\n`);
  process.exit(bad ? EXIT.badConfiguration : EXIT.failure);
}

function usageError(name: string, message: string): never {
  process.stderr.write(`${name}: ${message}\nTry '${name} --help'.\n`);
  process.exit(EXIT.usage);
}

type Split = { readonly values: Record<string, unknown>; readonly flags: Record<string, string> };

/** The program's own options, and the keys of the bootstrap file given as `--key value` or `--key=value`. */
function split(program: Program<string>, argv: readonly string[]): Split {
  const flag = { type: 'boolean' } as const;
  const modes = Object.fromEntries(program.modes.map((mode) => [mode, flag]));
  const options = { config: { type: 'string' }, version: flag, help: flag, ...modes } as const;
  const { values, tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const flags: Record<string, string> = {};
  let skip = -1;
  for (const token of tokens) {
    if (token.index === skip) continue;
    if (token.kind === 'positional') usageError(program.name, `unexpected argument ${token.value}`);
    if (token.kind !== 'option' || token.name in options) continue;
    if (!token.name.includes('.') && !['gateway', 'fleet'].includes(token.name))
      usageError(program.name, `unknown option --${token.name}`);
    const value = token.inlineValue === true ? token.value : argv[token.index + 1];
    if (value === undefined) usageError(program.name, `--${token.name} needs a value`);
    if (token.inlineValue !== true) skip = token.index + 1;
    flags[token.name] = value;
  }
  return { values, flags };
}
