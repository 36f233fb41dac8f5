import type { ParseArgsOptionDescriptor } from 'node:util';
import type { Client } from './client.ts';
import type { ExitCode } from './exit.ts';
import type { Output } from './output.ts';

export type Values = Readonly<Record<string, string | boolean | undefined>>;

export type Invocation = {
  readonly client: Client;
  readonly output: Output;
  /** whether `--json` was given */
  readonly json: boolean;
  readonly positionals: readonly string[];
  readonly values: Values;
};

/** One command: `name` is one or two words, `usage` what follows them. */
export type Verb = {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  /** how many positional arguments it takes: fewest and most */
  readonly arity: readonly [number, number];
  readonly options?: Readonly<Record<string, ParseArgsOptionDescriptor>>;
  /** The value an option takes when it is given without one. */
  readonly defaults?: Readonly<Record<string, string>>;
  readonly run: (invocation: Invocation) => Promise<ExitCode>;
};

/** The value of an option that takes one. */
export function option(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}
