import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../exec.ts';

export const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));
const BUILT = join(CHECKOUT, 'build/image');
/** What the lab makes of it. */
export const WORKSHOP = join(CHECKOUT, 'build/image-lab');
/** What consoles said, one file for each time that a gateway was on. */
export const LOGS = join(WORKSHOP, 'consoles');
const BOARD_PARTS = fileURLToPath(new URL('board.sh', import.meta.url));
/** Debian's, for x86-64 and aarch64. */
const LOADERS = ['lib64/ld-linux-x86-64.so.2', 'lib/ld-linux-aarch64.so.1'];
export const BOARD = 'qemu-virt';
/** What an image is made of. */
const SOURCES = ['src/**/*', 'systemd/*', 'firmware/**/*', 'scripts/build*', 'package-lock.json'];
/** A first one fetches some 300 MB and takes three minutes. */
const BUILD_MS = 1_200_000;

export type BuiltImage = {
  readonly version: string;
  /** as it lies on a card */
  readonly raw: string;
  /** the update bundle of the same contents */
  readonly bundle: string;
  /** the command that emulates the board, before its arguments */
  readonly emulator: readonly string[];
  /** U-Boot, as in the board's flash */
  readonly uboot: string;
};

const { version } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string };
const NAME = `linkspan-${version}-${BOARD}`;
const COMPRESSED = join(BUILT, `${NAME}.img.zst`);
const RAW = join(WORKSHOP, `${NAME}.img`);

/** The image that the tests boot, as `prepareImage` left it. */
export async function builtImage(): Promise<BuiltImage> {
  const { stdout } = await run(['sh', BOARD_PARTS], { timeoutMs: BUILD_MS });
  const parts = stdout.trim();
  const uboot = join(parts, 'usr/lib/u-boot/qemu_arm64/u-boot.bin');
  return { version, raw: RAW, bundle: join(BUILT, `${NAME}.raucb`), emulator: emulatorIn(parts), uboot };
}

/** By its own loader and libraries, since it is made for another release than this machine's. */
function emulatorIn(parts: string): readonly string[] {
  const loader = LOADERS.map((path) => join(parts, path)).find((path) => existsSync(path)) ?? '';
  const libraries = globSync('usr/lib/*-linux-gnu', { cwd: parts }).map((path) => join(parts, path));
  const program = join(parts, 'usr/bin/qemu-system-aarch64');
  return [loader, '--library-path', libraries.join(':'), program, '-L', join(parts, 'usr/share/qemu')];
}

/** Builds the image where there is none or its sources have changed since, and unpacks it. */
export async function prepareImage(): Promise<BuiltImage> {
  if (changedSince(COMPRESSED))
    await run([join(CHECKOUT, 'scripts/build-image'), '--board', BOARD], { timeoutMs: BUILD_MS });
  if (!existsSync(RAW) || modified(RAW) < modified(COMPRESSED)) {
    await mkdir(WORKSHOP, { recursive: true });
    const half = `${RAW}.part`;
    await run(['zstd', '-d', '-q', '-f', '--sparse', COMPRESSED, '-o', half], { timeoutMs: BUILD_MS });
    await rename(half, RAW);
  }
  return builtImage();
}

const modified = (file: string): number => statSync(file).mtimeMs;

function changedSince(file: string): boolean {
  if (!existsSync(file)) return true;
  const built = modified(file);
  return globSync(SOURCES, { cwd: CHECKOUT }).some((source) => modified(join(CHECKOUT, source)) > built);
}
