// Bundles the programs of src/bin into dist/bin: one file tree without node_modules starts faster and keeps the
// service some 10 MB smaller. Packages with native parts stay outside the bundle.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

const root = new URL('..', import.meta.url).pathname;

rmSync(`${root}dist`, { recursive: true, force: true });
await build({
  entryPoints: [`${root}src/bin/linkspand.ts`, `${root}src/bin/linkspan.ts`],
  outdir: `${root}dist`,
  outbase: `${root}src`,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  external: ['better-sqlite3', 'koffi'],
  chunkNames: 'chunks/[name]-[hash]',
  logLevel: 'warning',
  // CommonJS packages inside an ESM bundle still call require() for Node's own modules.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
});
