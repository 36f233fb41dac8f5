import { readFileSync, writeFileSync } from 'node:fs';
import { build, type Metafile } from 'esbuild';
import { withoutImports } from './bundle-builtins.ts';
import { compiledSchema } from './bundle-schema.ts';

const root = new URL('..', import.meta.url).pathname;

/**
 * Bundles the programs into a folder: one file tree without node_modules starts faster and keeps the service some 10 MB
 * smaller. Packages with native parts stay outside. Returns which sources and packages each file was made of.
 */
export async function bundle(outdir: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: root,
    metafile: true,
    entryPoints: [
      `${root}src/bin/linkspand.ts`,
      `${root}src/bin/linkspan.ts`,
      `${root}src/bin/linkspan-datapath.ts`,
      `${root}src/bin/datapath-worker.ts`,
    ],
    outdir,
    outbase: `${root}src`,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: ['better-sqlite3', 'koffi', 'raw-socket'],
    chunkNames: 'chunks/[name]-[hash]',
    logLevel: 'warning',
    plugins: [compiledSchema],
    // CommonJS packages inside an ESM bundle still call require() for Node's own modules.
    banner: { js: 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);' },
  });
  for (const file of Object.keys(metafile.outputs)) {
    writeFileSync(`${root}${file}`, withoutImports(readFileSync(`${root}${file}`, 'utf8')));
  }
  return metafile;
}
