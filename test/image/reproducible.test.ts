import { createHash } from 'node:crypto';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const CHECKOUT = new URL('../../', import.meta.url).pathname;
const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string };
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'linkspan-twice-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function build(name: string): string {
  const deb = join(CHECKOUT, `build/deb/linkspan_${version}_arm64.deb`);
  const { status, stderr } = spawnSync(join(CHECKOUT, 'firmware/rootfs.sh'), ['qemu-virt', deb, join(folder, name)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return join(folder, name);
}

/** Of all that a slot's file system holds of its files: names, owners, modes, times, attributes, contents. */
async function digest(where: string): Promise<string> {
  const options = ['--sort=name', '--numeric-owner', '--xattrs', '--xattrs-include=*', '--format=pax'];
  const tar = spawn('tar', [
    '-C',
    where,
    ...options,
    '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
    '-c',
    'root',
  ]);
  const hash = createHash('sha256');
  await pipeline(tar.stdout, hash);
  return hash.digest('hex');
}

test('the root of a slot is the same each time, wherever it is made', async () => {
  const first = await digest(build('first'));
  expect(await digest(build('second/below'))).toBe(first);
}, 300_000);
