import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';

const PROGRAM = new URL('../../src/bin/linkspan.ts', import.meta.url).pathname;
const MIB = 1024 * 1024;
const [BEGIN, SIZE] = [3 * MIB, 8 * MIB];
const FILE = `gateway: gw-a
fleet: plant
mqtt: { url: 'mqtts://broker.example', ca: /etc/linkspan/keys/ca.pem }
`;
let directory: string;
let image: string;
let out: string;

type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

const at = (name: string): string => join(directory, name);

function run(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  const child = spawn(process.execPath, [PROGRAM, 'fleet', 'image', ...argv], { env, stdio: 'pipe' });
  let [said, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out: said, err })));
}

/** A disk of 16 MiB with a partition before and one behind the one that is meant, and other bytes all around. */
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleet-image-'));
  image = at('gateway.img');
  const fat = at('fat');
  execFileSync('mkfs.vfat', ['-C', '-n', 'LINKSPAN', fat, `${SIZE / 1024}`]);
  const disk = Buffer.alloc(16 * MIB);
  disk.fill('boot', MIB, 2 * MIB);
  readFileSync(fat).copy(disk, BEGIN);
  disk.fill('root', 12 * MIB, 13 * MIB);
  writeFileSync(image, disk);
  const table =
    'label: gpt\nstart=2048, size=4096, name=boot\nstart=6144, size=16384, name=config\nsize=2048, name=rootA\n';
  execFileSync('sfdisk', ['--quiet', image], { input: table });
  writeFileSync(at('gateway.img.zst'), zstdCompressSync(readFileSync(image)));
  writeFileSync(at('linkspan.yaml'), FILE);
  mkdirSync(at('keys/deeper'), { recursive: true });
  writeFileSync(at('keys/ca.pem'), 'an authority');
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => {
  out = at('out.img');
  for (const path of [out, `${out}.zst`]) rmSync(path, { force: true });
});

const inside = (path: string, name: string): string =>
  execFileSync('mtype', ['-i', `${path}@@${BEGIN}`, `::/${name}`], { encoding: 'utf8' });
const GIVEN = (): string[] => ['-f', at('linkspan.yaml'), '--keys', at('keys')];

test('a gateway’s file and keys are in the new image, and all else is as it was', async () => {
  const said = await run([image, ...GIVEN(), '-o', out]);
  expect(said).toMatchObject({ code: 0, err: '', out: expect.stringContaining('gateway gw-a of fleet plant') });
  expect(inside(out, 'linkspan.yaml')).toBe(FILE);
  expect(inside(out, 'keys/ca.pem')).toBe('an authority');
  const [before, after] = [readFileSync(image), readFileSync(out)];
  for (const disk of [before, after]) disk.fill(0, BEGIN, BEGIN + SIZE);
  expect(after.equals(before)).toBe(true);
  expect(existsSync(`${out}.raw`)).toBe(false);
});

test('packed images are read and written, and one may be made of another', async () => {
  expect(await run([at('gateway.img.zst'), ...GIVEN(), '-o', `${out}.zst`])).toMatchObject({ code: 0, err: '' });
  expect(statSync(`${out}.zst`).size).toBeLessThan(MIB);
  writeFileSync(at('other.yaml'), FILE.replace('gw-a', 'gw-b'));
  const argv = [`${out}.zst`, '-f', at('other.yaml'), '--keys', at('keys'), '-o', out, '--json'];
  expect(JSON.parse((await run(argv)).out)).toEqual({ image: out, gateway: 'gw-b', fleet: 'plant' });
  expect(inside(out, 'linkspan.yaml')).toContain('gw-b');
});

test('nothing is made of what a gateway would not take', async () => {
  writeFileSync(at('wrong.yaml'), 'gateway: gw-a\nstatus: { listen: nowhere }\n');
  writeFileSync(at('small.img'), 'no disk');
  const table = 'label: gpt\nname=boot\n';
  writeFileSync(at('foreign.img'), Buffer.alloc(4 * MIB));
  execFileSync('sfdisk', ['--quiet', at('foreign.img')], { input: table });
  writeFileSync(at('cut.img.zst'), readFileSync(at('gateway.img.zst')).subarray(0, -100));
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [[image, '-f', at('wrong.yaml'), '-o', out], 5, 'status.listen'],
    [[image, '-f', at('linkspan.yaml'), '-o', out], 5, '/etc/linkspan/keys/ca.pem, which is not among the keys'],
    [[image, '-f', at('none.yaml'), '-o', out], 5, 'none.yaml'],
    [[at('none.img'), ...GIVEN(), '-o', out], 1, 'none.img'],
    [[at('small.img'), ...GIVEN(), '-o', out], 5, 'no disk image with a partition "config"'],
    [[at('foreign.img'), ...GIVEN(), '-o', out], 5, 'no disk image with a partition "config"'],
    [[at('cut.img.zst'), ...GIVEN(), '-o', out], 1, ''],
    [[image, ...GIVEN()], 2, '-o OUT'],
    [[image, '-o', out], 2, '-f linkspan.yaml'],
    [[image, ...GIVEN(), '-o', image], 5, 'is there already'],
  ];
  const ended = await Promise.all(
    cases.map(([argv], n) => run(argv.map((word) => (word === out ? `${out}-${n}` : word)))),
  );
  for (const [n, { code, err }] of ended.entries()) {
    expect({ argv: cases[n]?.[0], code }).toEqual({ argv: cases[n]?.[0], code: cases[n]?.[1] });
    expect(err).toContain(cases[n]?.[2]);
  }
  expect(readdirSync(directory).filter((one) => one.startsWith('out.img'))).toEqual([]);
});

test('without mtools it says what to install', async () => {
  const { code, err } = await run([image, ...GIVEN(), '-o', out], { ...process.env, PATH: '/nowhere' });
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('install mtools') });
  expect(existsSync(out)).toBe(false);
  expect(existsSync(`${out}.raw`)).toBe(false);
});
