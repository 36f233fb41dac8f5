import { existsSync, statSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../exec.ts';
import { BOARD, type BuiltImage, CHECKOUT, WORKSHOP } from './image.ts';

/** Where bundles lie. */
export const SHELF = join(WORKSHOP, 'bundles');
const RECIPE = fileURLToPath(new URL('bundle.sh', import.meta.url));
const KEYS = join(CHECKOUT, 'build/keys');
const BUILD_MS = 300_000;

/** A program in place of the service that never says that it is ready, and keeps systemd waiting. */
const MUTE = 'setInterval(() => undefined, 1000);\n';
const NO_KERNEL = 'no kernel\n';
/** With an initrd that is none, the kernel finds no root and panics. */
const NO_INITRD = 'no initrd\n';

type Recipe = {
  readonly version: string;
  readonly board?: string;
  /** what the slot has instead at a path */
  readonly files?: Readonly<Record<string, string>>;
  readonly stranger?: boolean;
};

/** Updates, good and bad, of the same contents as the image. */
const RECIPES = {
  newer: { version: '9.0.0' },
  newest: { version: '9.1.0' },
  older: { version: '0.0.1' },
  bootless: { version: '9.0.1', files: { '/boot/vmlinuz': NO_KERNEL } },
  panicking: { version: '9.0.2', files: { '/boot/initrd': NO_INITRD } },
  mute: { version: '9.0.3', files: { '/usr/lib/linkspan/bin/linkspand.js': MUTE } },
  otherBoard: { version: '9.0.4', board: 'toaster' },
  stranger: { version: '9.0.5', stranger: true },
} satisfies Record<string, Recipe>;
export type BundleName = keyof typeof RECIPES;

export type Bundle = { readonly file: string; readonly name: string; readonly version: string };

/** That bundle, made at the first call and whenever the image is another. */
export async function bundle(image: BuiltImage, name: BundleName): Promise<Bundle> {
  const recipe: Recipe = RECIPES[name];
  const file = join(SHELF, `${name}.raucb`);
  if (!existsSync(file) || statSync(file).mtimeMs < statSync(image.bundle).mtimeMs) await make(image, file, recipe);
  return { file, name: `${name}.raucb`, version: recipe.version };
}

async function make(image: BuiltImage, file: string, recipe: Recipe): Promise<void> {
  await mkdir(SHELF, { recursive: true });
  const { key, cert } = recipe.stranger === true ? await strangersKey() : ownKey();
  const changes = await Promise.all(
    Object.entries(recipe.files ?? {}).map(async ([path, text]) => {
      const piece = `${file}-${path.replaceAll('/', '-')}`;
      await writeFile(piece, text);
      await chmod(piece, 0o644);
      return `${piece}=${path}`;
    }),
  );
  const words = [image.bundle, recipe.board ?? BOARD, recipe.version, key, cert, file, ...changes];
  await run([join(CHECKOUT, 'firmware/in-builder'), 'sh', RECIPE, ...words], { timeoutMs: BUILD_MS });
}

const ownKey = (): { key: string; cert: string } => ({
  key: join(KEYS, 'development.key.pem'),
  cert: join(KEYS, 'development.cert.pem'),
});

async function strangersKey(): Promise<{ key: string; cert: string }> {
  const [key, cert] = [join(SHELF, 'stranger.key.pem'), join(SHELF, 'stranger.cert.pem')];
  const request = 'req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=stranger'.split(' ');
  await run(['openssl', ...request, '-keyout', key, '-out', cert]);
  return { key, cert };
}
