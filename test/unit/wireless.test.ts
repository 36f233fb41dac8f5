import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';

const CHILD = new URL('wireless.child.ts', import.meta.url).pathname;

test('where wireless interfaces cannot be read, none is not the answer: a WiFi uplink would be taken for a wired one', () => {
  const script = 'ulimit -n 64; exec "$0" "$1"';
  const [before, after] = JSON.parse(execFileSync('sh', ['-c', script, process.execPath, CHILD], { encoding: 'utf8' }));
  expect(before).toMatch(/^found \d+$/);
  expect(after).toContain('EMFILE');
});
