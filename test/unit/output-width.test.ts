import { expect, test } from '@jest/globals';
import { widthOf } from '../../src/cli/output.ts';

test.each([
  ['a file', {}, 80],
  ['a terminal', { isTTY: true, columns: 132 }, 132],
  ['a very narrow one', { isTTY: true, columns: 12 }, 40],
  ['a serial console, which says 0', { isTTY: true, columns: 0 }, 80],
])('tables for %s', (_, stream, width) => {
  expect(widthOf(stream)).toBe(width);
});
