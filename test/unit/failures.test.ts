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

test('each kind of trouble is told as what it is; a plan that waits is no trouble', () => {
  const now = new Map([
    ['endpoint/w/o', problem('duplicate_address', 'twice')],
    ['endpoint/v/o', problem('duplicate_mac', 'twin')],
    ['uplink/eth0', problem('mac_limit', 'many')],
    ['endpoint/u/o', problem('waiting', 'no namespace')],
    ['network/o', problem('mac_limit', 'no uplink')],
  ]);
  expect(newFailures(undefined, now)).toEqual([
    { type: 'duplicate_address', level: 'warning', message: 'twice' },
    { type: 'duplicate_mac', level: 'warning', message: 'twin' },
    { type: 'uplink.mac_limit', level: 'warning', message: 'many' },
  ]);
  // Another trouble of the same object is news.
  const failed = new Map([['endpoint/w/o', problem('failed', 'busy')]]);
  expect(newFailures(now, failed).map(({ type }) => type)).toEqual(['endpoint.failed']);
});
