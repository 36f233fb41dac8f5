import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../../lab/exec.ts';
import { CHECKOUT, WORKSHOP } from '../../lab/image/image.ts';

// The boards that were never started here: that all is on the card where the board's ROM, its firmware and U-Boot look for it.

const SECTOR = 512;
const MIB = 1024 * 1024;
const BUILD_MS = 900_000;
const NAMES = ['bootstate', 'rootA', 'rootB', 'data'];
const { version } = JSON.parse(await readFile(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string };

type Partition = { readonly name: string; readonly start: number; readonly size: number };

/** Builds the board's image and returns the card's contents. */
async function build(board: string): Promise<string> {
  const output = join(WORKSHOP, board);
  const deb = join(CHECKOUT, `build/deb/linkspan_${version}_arm64.deb`);
  await mkdir(output, { recursive: true });
  await run([join(CHECKOUT, 'scripts/build-image'), '--board', board, '--deb', deb, '--output', output], {
    timeoutMs: BUILD_MS,
  });
  const card = join(output, 'card.img');
  await run(['zstd', '-d', '-q', '-f', '--sparse', join(output, `linkspan-${version}-${board}.img.zst`), '-o', card], {
    timeoutMs: BUILD_MS,
  });
  return card;
}

async function partitionsOf(card: string): Promise<readonly Partition[]> {
  const { stdout } = await run(['sfdisk', '--json', card]);
  return (JSON.parse(stdout) as { partitiontable: { partitions: Partition[] } }).partitiontable.partitions;
}

async function piece(card: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(card);
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
  await file.close();
  return buffer;
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A file of a FAT partition; `from`: where that begins. */
async function fatFile(card: string, from: number, name: string): Promise<string> {
  return (await run(['mtype', '-i', `${card}@@${from}`, `::/${name}`])).stdout;
}

async function fatNames(card: string, from: number): Promise<readonly string[]> {
  const { stdout } = await run(['mdir', '-b', '-i', `${card}@@${from}`, '::/']);
  return stdout
    .split('\n')
    .map((line) => line.replace(/^::\//, ''))
    .filter((name) => name !== '');
}

/** A file as the board's package of U-Boot has it, of those that were fetched for it. */
async function packaged(board: string, name: string, path: string): Promise<Buffer> {
  const { stdout } = await run([join(CHECKOUT, 'firmware/packages.sh'), board], { timeoutMs: BUILD_MS });
  const out = join(WORKSHOP, board, 'packaged');
  await mkdir(out, { recursive: true });
  const [archive = ''] = globSync(`${name}_*.deb`, { cwd: stdout.trim() });
  await run(['dpkg-deb', '--extract', join(stdout.trim(), archive), out], { timeoutMs: BUILD_MS });
  const bytes = await readFile(join(out, path));
  await rm(out, { recursive: true });
  return bytes;
}

describe.each([
  { board: 'raspberrypi4', first: 1, order: ['boot', 'config'], tree: 'broadcom/bcm2711-rpi-4-b.dtb' },
  { board: 'rock64', first: 16, order: ['config', 'boot'], tree: 'rockchip/rk3328-rock64.dtb' },
])('$board', ({ board, first, order, tree }) => {
  let card: string;
  let partitions: readonly Partition[];
  const place = (name: string): number => (partitions.find((one) => one.name === name)?.start ?? -1) * SECTOR;

  beforeAll(async () => {
    card = await build(board);
    partitions = await partitionsOf(card);
  }, BUILD_MS);
  afterAll(() => rm(card));

  test('the partitions are in their order, behind what the board has before them', () => {
    expect(partitions.map(({ name }) => name)).toEqual([...order, ...NAMES]);
    expect(partitions[0]?.start).toBe((first * MIB) / SECTOR);
  });

  test("U-Boot's script knows where the boot state lies, and the slot has the kernel, the initrd and the device tree", async () => {
    const script = await fatFile(card, place('boot'), 'boot.scr');
    expect(script).toContain(`${(place('bootstate') / SECTOR).toString(16)} 8`);
    expect(script).not.toContain('@');
    const root = join(CHECKOUT, 'build/work', board, 'root/boot');
    for (const path of ['vmlinuz', 'initrd', `dtbs/${tree}`])
      expect((await readFile(join(root, path))).length).toBeGreaterThan(0);
    // Linux's Image header for arm64: "ARM\x64" at 56, and a device tree's magic number
    expect((await readFile(join(root, 'vmlinuz'))).subarray(56, 60).toString()).toBe('ARMd');
    expect((await readFile(join(root, `dtbs/${tree}`))).readUInt32BE(0)).toBe(0xd00dfeed);
  });

  if (board === 'rock64') {
    test('the loaders lie where the ROM and they themselves look, as Debian ships them', async () => {
      for (const [file, sector] of [
        ['idbloader.img', 64],
        ['u-boot.itb', 16384],
      ] as const) {
        const bytes = await packaged(board, 'u-boot-rockchip', `usr/lib/u-boot/rock64-rk3328/${file}`);
        expect(digest(await piece(card, sector * SECTOR, bytes.length))).toBe(digest(bytes));
        expect(sector * SECTOR + bytes.length).toBeLessThanOrEqual(first * MIB);
      }
    });
  } else {
    test("the firmware's files are on the first partition, and start U-Boot", async () => {
      const names = await fatNames(card, place('boot'));
      for (const name of ['start4.elf', 'fixup4.dat', 'u-boot.bin', 'bcm2711-rpi-4-b.dtb', 'config.txt', 'boot.scr'])
        expect(names).toContain(name);
      expect(await fatFile(card, place('boot'), 'config.txt')).toMatch(/^kernel=u-boot\.bin/m);
    });
  }
});
