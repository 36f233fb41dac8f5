import { createHash } from 'node:crypto';
import type { Metafile } from 'esbuild';

const PROGRAMS = ['dist/bin/linkspan-datapath.js', 'dist/bin/datapath-worker.js'];

/** The sources that the datapath was bundled from, in order. The version's number is not one: it changes with every release. */
export function datapathSources({ outputs }: Pick<Metafile, 'outputs'>): readonly string[] {
  const seen = new Set(PROGRAMS);
  for (const output of seen) for (const { path } of outputs[output]?.imports ?? []) if (outputs[path]) seen.add(path);
  const sources = new Set([...seen].flatMap((output) => Object.keys(outputs[output]?.inputs ?? {})));
  return [...sources].filter((path) => path !== 'package.json').sort();
}

/** Names what the datapath runs by: where two packages have the same, an upgrade need not restart it. */
export function datapathId(contents: Iterable<Buffer>): string {
  const hash = createHash('sha256');
  for (const content of contents) hash.update(`${content.length} `).update(content);
  return `${hash.digest('hex')}\n`;
}
