import { describe, expect, test } from '@jest/globals';
import { Moderation } from '../../src/datapath/moderation.ts';

/** How long is rested after each of some turns, given as frames and bytes of each. */
function rests(...turns: readonly (readonly [number, number])[]): number[] {
  const moderation = new Moderation();
  let [frames, bytes] = [0, 0];
  return turns.map(([more, size]) => {
    frames += more;
    bytes += more * size;
    return moderation.restAfter(frames, bytes);
  });
}

const SMALL = [8, 106] as const;
const LARGE = [43, 1450] as const;

describe('a rest lets frames gather', () => {
  test('where many small ones come, and only then', () => {
    expect(rests(SMALL, SMALL)).toEqual([100, 100]);
    expect(rests([0, 0], [1, 106], [3, 106], [0, 0])).toEqual([0, 0, 0, 0]);
    expect(rests(LARGE, LARGE)).toEqual([0, 0]);
  });

  test('but not where acknowledgements come between large ones', () => {
    const turns = Array.from({ length: 40 }, (_, turn) => (turn % 4 === 0 ? LARGE : ([6, 66] as const)));
    expect(rests(...turns)).toEqual(turns.map(() => 0));
  });

  test('soon after the last large ones, and no longer when they are back', () => {
    const many = Array.from({ length: 20 }, () => SMALL);
    const after = rests(LARGE, ...many, LARGE, LARGE, SMALL);
    expect(after.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
    expect(after.slice(15)).toEqual([100, 100, 100, 100, 100, 100, 0, 0, 0]);
  });
});
