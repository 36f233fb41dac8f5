import { visible } from '../model/text.ts';
import type { Colour, Paint } from './output.ts';

export type Column = {
  readonly title: string;
  /** never folded, like a MAC that people copy */
  readonly whole?: boolean;
  readonly colour?: (cell: string) => Colour | undefined;
};

const GAP = 2;
const COLUMN_MIN = 4;
const NOTE = '    ';

/**
 * Rows under their titles, at most `width` columns wide: where that is too narrow the widest columns are folded into
 * several lines, so that nothing is cut off. Control characters in cells are shown escaped.
 * @param notes by row, a sentence below it; empty: none
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, paint }: { width: number; paint: Paint },
  notes: readonly string[] = [],
): string {
  const cells = rows.map((row) => columns.map((_, index) => visible(row[index] ?? '') || '-'));
  const natural = columns.map((column, index) => widest([column.title, ...cells.map((row) => row[index] ?? '')]));
  const widths = fit(columns, natural, width);
  const head = columns.map((column) => ({ text: column.title, colour: 'dim' as const }));
  const body = cells.map((row) => row.map((text, index) => ({ text, colour: columns[index]?.colour?.(text) })));
  const noted = body.map((row, index) => renderRow(row, widths, paint) + note(notes[index] ?? '', width));
  return [renderRow(head, widths, paint), ...noted].join('\n');
}

function note(text: string, width: number): string {
  const lines = text === '' ? [] : fold(visible(text), width - NOTE.length);
  return lines.map((line) => `\n${NOTE}${line}`).join('');
}

type PaintedCell = { readonly text: string; readonly colour: Colour | undefined };

function renderRow(row: readonly PaintedCell[], widths: readonly number[], paint: Paint): string {
  const folded = row.map((cell, index) => fold(cell.text, widths[index] ?? 0));
  const height = Math.max(...folded.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const parts = row.map((cell, index) => {
      const text = folded[index]?.[line] ?? '';
      const padding = index === row.length - 1 ? '' : ' '.repeat((widths[index] ?? 0) - length(text) + GAP);
      return (cell.colour && text !== '' ? paint(cell.colour, text) : text) + padding;
    });
    return parts.join('').trimEnd();
  }).join('\n');
}

function fit(columns: readonly Column[], natural: readonly number[], width: number): readonly number[] {
  const widths = [...natural];
  const room = width - GAP * (widths.length - 1);
  for (let excess = sum(widths) - room; excess > 0; excess -= 1) {
    const largest = Math.max(...widths.filter((_, index) => !columns[index]?.whole));
    if (largest <= COLUMN_MIN) break;
    widths[widths.findLastIndex((one, index) => one === largest && !columns[index]?.whole)] = largest - 1;
  }
  return widths;
}

function fold(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let rest = Array.from(text);
  while (rest.length > width) {
    // At a space where there is one in the second half, otherwise hard.
    const space = rest.lastIndexOf(' ', width);
    const at = space > width / 2 ? space : width;
    lines.push(rest.slice(0, at).join(''));
    rest = rest.slice(space === at ? at + 1 : at);
  }
  return [...lines, rest.join('')];
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, length(text)), 0);
}

function length(text: string): number {
  return Array.from(text).length;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
