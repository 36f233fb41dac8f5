import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import manifest from '../../package.json' with { type: 'json' };
import { ARCHITECTURES, elfMachine } from '../../firmware/deb/architecture.ts';
import { run } from '../lab/exec.ts';

const BUILT = 'build/deb';
/** Packing and lintian have a processor busy for a quarter of a minute each. */
const PATIENCE_MS = 180_000;
const LIB = 'usr/lib/linkspan';
/** Of other packages only what Depends names: libc6, libstdc++6, libgcc-s1. */
const LIBRARIES = /^(?:lib(?:c|m|dl|pthread|stdc\+\+|gcc_s)\.so\.\d|ld-linux-[\w-]+\.so\.\d)$/;
const EMULATED = ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'linkspan-contents-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const fileOf = (architecture: string): string => `linkspan_${manifest.version}_${architecture}.deb`;

test(
  'another time zone, umask and folder give the same bytes',
  async () => {
    const again = join(folder, 'again');
    const build = 'umask 077; TZ=Asia/Tokyo exec scripts/build-deb --arch arm64 --output "$1"';
    await run(['sh', '-c', build, '-', again], { timeoutMs: PATIENCE_MS });
    const [first, second] = [BUILT, again].map((place) => readFileSync(join(place, fileOf('arm64'))));
    expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true);
  },
  PATIENCE_MS,
);

test(
  'lintian has nothing to say',
  async () => {
    const argv = ['lintian', '--allow-root', '--fail-on', 'none', join(BUILT, fileOf('arm64'))];
    const { stdout } = await run(argv, { timeoutMs: PATIENCE_MS });
    expect(stdout).toBe('');
  },
  PATIENCE_MS,
);

describe.each(ARCHITECTURES)('$debian', ({ debian, npm, machine }) => {
  let root: string;
  beforeAll(async () => {
    root = join(folder, debian);
    await run(['dpkg-deb', '--raw-extract', join(BUILT, fileOf(debian)), root]);
  });

  test('everything is root’s, and readable by all but the folder of keys', async () => {
    const { stdout } = await run(['dpkg-deb', '--contents', join(BUILT, fileOf(debian))]);
    const modes = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/\s+/));
    expect(new Set(modes.map(([, owner]) => owner))).toEqual(new Set(['root/root']));
    const odd = modes.filter(([mode = '']) => !['drwxr-xr-x', '-rwxr-xr-x', '-rw-r--r--'].includes(mode));
    expect(odd.map(([mode, , , , , path]) => `${mode} ${path}`)).toEqual(['drwxr-x--- ./etc/linkspan/']);
  });

  test('every native file is for this machine, and needs no newer library than Depends says', async () => {
    const files = globSync('**', { cwd: root, withFileTypes: true }).filter((entry) => entry.isFile());
    const paths = files.map((entry) => join(entry.parentPath, entry.name));
    const native = paths.filter((path) => elfMachine(readFileSync(path)) !== undefined);
    const names = native.map((path) => path.slice(root.length + LIB.length + 2)).toSorted();
    expect(names).toEqual([
      'node',
      `node_modules/@koromix/koffi-linux-${npm}/linux_${npm}/koffi.node`,
      `node_modules/better-sqlite3/prebuilds/linux-${npm}.node`,
      'node_modules/raw-socket/build/Release/raw.node',
    ]);
    expect(native.map((path) => elfMachine(readFileSync(path)))).toEqual(native.map(() => machine));

    const { stdout } = await run(['readelf', '--wide', '--dynamic', '--version-info', ...native]);
    const needed = [...stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name = '']) => name);
    expect(needed.filter((name) => !LIBRARIES.test(name))).toEqual([]);
    const newest = (name: string): number =>
      Math.max(...[...stdout.matchAll(new RegExp(`Name: ${name}(\\d+)`, 'g'))].map(([, minor]) => Number(minor)));
    const { stdout: depends } = await run(['dpkg-deb', '--field', join(BUILT, fileOf(debian)), 'Depends']);
    expect(depends).toContain(`libc6 (>= 2.${newest('GLIBC_2\\.')})`);
    // GCC 11 came with GLIBCXX_3.4.29
    expect(newest('GLIBCXX_3\\.4\\.')).toBeLessThanOrEqual(29);
    expect(depends).toContain('libstdc++6 (>= 11)');
  });

  test('programs start, and load every native part', async () => {
    const prefix = npm === process.arch ? [] : EMULATED;
    const node = [...prefix, join(root, LIB, 'node')];
    const { stdout: said } = await run([
      ...node,
      join(root, LIB, 'bin/linkspan.js'),
      'version',
      '--socket',
      '/nonexistent',
    ]);
    expect(said).toBe(`linkspan ${manifest.version}, service not running\n`);
    const checked = ['bin/linkspand.js', '--config', join(root, 'etc/linkspan/linkspan.yaml'), '--check'];
    const { stdout: valid } = await run([...node, join(root, LIB, checked[0] ?? ''), ...checked.slice(1)]);
    expect(valid).toMatch(/^configuration of gateway \S+ is valid\n$/);
    const { stdout: loaded } = await run([...node, '--input-type=module', '--eval', LOADS, join(root, LIB)]);
    expect(loaded).toBe(`${npm} ok number function\n`);
  });
});

/** Each native part does something: SQLite checks itself, koffi calls libc, raw-socket is there. */
const LOADS = `
import { createRequire } from 'node:module';
const require = createRequire(process.argv[1] + '/bin/x.js');
const { default: koffi } = await import(process.argv[1] + '/node_modules/koffi/index.js');
const [{ integrity_check }] = new (require('better-sqlite3'))(':memory:').pragma('integrity_check');
const pid = koffi.load('libc.so.6').func('int getpid()')();
console.log(process.arch, integrity_check, typeof pid, typeof require('raw-socket').createSocket);`;
