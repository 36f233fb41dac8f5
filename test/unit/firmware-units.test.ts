import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const checkout = join(import.meta.dirname, '../..');
const overlay = join(checkout, 'firmware/overlay');
const UNITS = 'usr/lib/systemd/system';
const units = readdirSync(join(overlay, UNITS)).filter((name) => /\.(service|path|timer|socket)$/.test(name));
const programs = readdirSync(join(overlay, 'usr/lib/linkspan/firmware'));
let root: string;

/** As a slot has them: Debian's units, the package's, the image's, and programs where they say. */
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'linkspan-slot-'));
  cpSync('/usr/lib/systemd/system', join(root, UNITS), { recursive: true, verbatimSymlinks: true });
  for (const name of readdirSync(join(checkout, 'systemd')).filter((file) => /\.(service|socket)$/.test(file)))
    copyFileSync(join(checkout, 'systemd', name), join(root, UNITS, name));
  cpSync(overlay, root, { recursive: true });
  for (const program of ['usr/lib/linkspan/node', 'usr/bin/systemctl', 'usr/bin/test', 'bin/sh']) {
    mkdirSync(dirname(join(root, program)), { recursive: true });
    copyFileSync('/bin/true', join(root, program));
  }
});
afterAll(() => rmSync(root, { recursive: true }));

test.each(units)('systemd-analyze verify has nothing to say about %s', (unit) => {
  const name = unit.replace('@.', '@sda1.');
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', `--root=${root}`, name], {
    encoding: 'utf8',
  });
  expect((stdout + stderr).split('\n').filter((line) => line.includes('linkspan'))).toEqual([]);
});

test.each(programs)('%s is a program that a shell can read', (program) => {
  const { status, stderr } = spawnSync('sh', ['-n', join(overlay, 'usr/lib/linkspan/firmware', program)], {
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
});
