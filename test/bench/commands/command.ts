import type { LabName } from '../topologies/ends.ts';
import { LABS } from '../topologies/ends.ts';

/** A word of scripts/bench: `scripts/bench WORD [options]`. */
export type Command = {
  /** its part of the usage text, from its name on */
  readonly usage: string;
  /** Reads the options, and gives back what measures and resolves with the exit code; throws where they are wrong. */
  readonly prepare: (options: readonly string[]) => () => Promise<number>;
};

export class UsageError extends Error {}

/** The whole number that an option gives. */
export function positive(name: string, text: string, greatest = 9999): number {
  const value = Number(text);
  if (!/^[1-9]\d*$/.test(text) || value > greatest) {
    throw new UsageError(`--${name} ${text}: give a whole number from 1 to ${greatest}`);
  }
  return value;
}

/** The lab that an option names; all where there is none. */
export function labsOf(name: string | undefined): readonly LabName[] {
  if (name === undefined) return LABS;
  const chosen = LABS.filter((lab) => lab === name);
  if (chosen.length === 0) throw new UsageError(`--lab ${name}: give wire or veth`);
  return chosen;
}

/** Onto standard error, since a report may be read from standard output by a program. */
export const progress = (line: string): void => void process.stderr.write(`${line}\n`);

/** Prints a report: as JSON, or as the table made of it. */
export function print<Report>(report: Report, json: boolean, table: (report: Report) => string): void {
  process.stdout.write(`${json ? JSON.stringify(report, undefined, 2) : table(report)}\n`);
}
