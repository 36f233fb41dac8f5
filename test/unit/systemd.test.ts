import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const source = new URL('../../systemd/', import.meta.url).pathname;
const units = readdirSync(source).filter((name) => name.endsWith('.service'));
const sockets = readdirSync(source).filter((name) => name.endsWith('.socket'));
const EXPOSURE_MAX = 5;
let root: string;

function analyze(...args: string[]): string {
  const { stdout, stderr, error } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  if (error) throw error;
  return stdout + stderr;
}

/** A file tree as the package would leave it: the host's units, ours, and programs where the units say. */
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'linkspan-root-'));
  const target = join(root, 'usr/lib/systemd/system');
  cpSync('/usr/lib/systemd/system', target, { recursive: true, verbatimSymlinks: true });
  for (const unit of [...units, ...sockets]) copyFileSync(join(source, unit), join(target, unit));
  for (const program of ['usr/lib/linkspan/node', 'usr/bin/systemctl', 'usr/bin/test']) {
    mkdirSync(join(root, program, '..'), { recursive: true });
    copyFileSync('/bin/true', join(root, program));
  }
});
afterAll(() => rmSync(root, { recursive: true }));

test.each([...units, ...sockets])('systemd-analyze verify has nothing to say about %s', (unit) => {
  const said = analyze('verify', '--man=no', `--root=${root}`, unit);
  expect(said.split('\n').filter((line) => line.includes('linkspan'))).toEqual([]);
});

describe.each(units)('%s', (unit) => {
  test(`exposure is at most ${EXPOSURE_MAX}`, () => {
    const overall = /Overall exposure level for \S+: ([\d.]+)/.exec(
      analyze('security', '--offline=true', '--no-pager', join(source, unit)),
    );
    expect(Number(overall?.[1])).toBeLessThanOrEqual(EXPOSURE_MAX);
  });
});

test('a stop or a crash alone never removes the datapath', () => {
  const service = readFileSync(join(source, 'linkspan.service'), 'utf8');
  expect(service).not.toMatch(/^ExecStop(Post)?=/m);
  expect(service).toMatch(/^OnFailure=linkspan-cleanup\.service$/m);
});

test('no setting makes the gateway a router', () => {
  const settings = readFileSync(join(source, 'linkspan.sysctl.conf'), 'utf8').replaceAll(/^#.*$/gm, '');
  expect(settings).not.toContain('forward');
});
