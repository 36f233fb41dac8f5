import { styleText } from 'node:util';
import { visible } from '../model/text.ts';
import { table, type Column } from './table.ts';

export type Colour = 'green' | 'yellow' | 'red' | 'dim' | 'bold';
export type Paint = (colour: Colour, text: string) => string;

/** Where a verb writes: stdout for results, stderr for what went wrong. Everything printed is made visible first. */
export type Output = {
  readonly paint: Paint;
  line(text: string): void;
  /** A line whose parts were painted; its caller has made them visible. */
  painted(text: string): void;
  error(text: string): void;
  json(value: unknown): void;
  /** One JSON value on one line. */
  jsonLine(value: unknown): void;
  /** `notes`: by row, a sentence below it. */
  table(
    columns: readonly Column[],
    rows: readonly (readonly string[])[],
    empty: string,
    notes?: readonly string[],
  ): void;
};

const WIDTH = 80;
const WIDTH_MIN = 40;
const RAW_CONTROLS = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** Output on this process's own streams; colours only on a terminal and without NO_COLOR. */
export function processOutput(): Output {
  const { stdout, stderr, env } = process;
  const colours = stdout.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  const paint: Paint = (colour, text) => (colours ? styleText(colour, text, { validateStream: false }) : text);
  const width = widthOf(stdout);
  const painted = (text: string): void => void stdout.write(`${text}\n`);
  return {
    paint,
    painted,
    line: (text) => painted(visible(text)),
    error: (text) => void stderr.write(`linkspan: ${visible(text)}\n`),
    json: (value) => painted(safeJson(JSON.stringify(value, null, 2))),
    jsonLine: (value) => painted(safeJson(JSON.stringify(value))),
    table: (columns, rows, empty, notes) =>
      painted(rows.length === 0 ? empty : table(columns, rows, { width, paint }, notes)),
  };
}

/** In columns; a serial console says that it has none. */
export function widthOf({ isTTY, columns }: { readonly isTTY?: boolean; readonly columns?: number }): number {
  return isTTY && columns ? Math.max(WIDTH_MIN, columns) : WIDTH;
}

// JSON leaves C1 controls and bidirectional marks as they are; a terminal acts on them.
function safeJson(text: string): string {
  return text.replace(RAW_CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
