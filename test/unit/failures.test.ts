import { expect, test } from '@jest/globals';
import type { Problem } from '../../src/model/problem.ts';
import { newFailures } from '../../src/status/failures.ts';

const problem = (code: Problem['code'], message: string): Problem => ({ path: '', code, message });

test('an interface’s failure is told when it begins, and again only after it had ended', () => {
  const waits = new Map([['endpoint/w/o', problem('waiting', 'no namespace')]]);
  const fails = new Map([
    ['endpoint/w/o', problem('failed', 'busy')],
    ['network/o', problem('failed', 'another thing')],
  ]);
  const again = new Map([['endpoint/w/o', problem('failed', 'still busy')]]);
  expect(newFailures(undefined, fails).map(({ message }) => message)).toEqual(['busy']);
  expect(newFailures(waits, fails)).toHaveLength(1);
  expect(newFailures(fails, again)).toEqual([]);
  expect(newFailures(fails, waits)).toEqual([]);
  expect(newFailures(new Map(), again)).toHaveLength(1);
});
