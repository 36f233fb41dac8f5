import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Metafile } from 'esbuild';
import { BOOTSTRAP_KEYS } from '../../src/service/bootstrap-keys.ts';
import { debianChangelog } from './changelog.ts';
import { componentsIn } from './components.ts';
import { conffile } from './conffile.ts';
import type { Entry } from './contents.ts';
import { bundledPackages, copyright } from './copyright.ts';
import { datapathId, datapathSources } from './datapath-id.ts';
import { manualPages } from './pages.ts';

export type Release = { readonly version: string; readonly maintainer: string; readonly epoch: number };

const DOC = 'usr/share/doc/linkspan';
/** Of what runs, what the datapath runs by: Node, its WebAssembly, its system calls. */
const DATAPATH_PARTS = /\/node$|\.wasm$|koffi/;

/** Files that are made for the package: no file of the checkout holds their contents. */
export function made(programs: readonly Entry[], release: Release): readonly Entry[] {
  const meta = JSON.parse(readFileSync('dist/meta.json', 'utf8')) as Metafile;
  const parts = programs.flatMap((entry) => ('from' in entry ? [entry.from] : []));
  const sources = [...datapathSources(meta), ...parts.filter((path) => DATAPATH_PARTS.test(path))];
  const contents = [...sources, 'systemd/linkspan-datapath.service'].map((path) => readFileSync(path));
  const outside = parts
    .map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0])
    .filter((path) => path !== undefined);
  const folders = [...new Set([...outside, ...bundledPackages(meta)])];
  return [
    { text: datapathId(contents), to: 'usr/lib/linkspan/datapath.id' },
    { text: conffile(BOOTSTRAP_KEYS), to: 'etc/linkspan/linkspan.yaml' },
    { text: copyright(componentsIn(folders)), to: `${DOC}/copyright` },
    ...documents(release),
  ];
}

function documents({ version, maintainer, epoch }: Release): readonly Entry[] {
  const changelog = debianChangelog(readFileSync('CHANGELOG.md', 'utf8'), maintainer, epoch);
  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  const pages = [...manualPages(version, date)].map(([name, page]) => ({
    text: packed(page),
    to: `usr/share/man/${name}.gz`,
  }));
  return [{ text: packed(changelog), to: `${DOC}/changelog.gz` }, ...pages];
}

/** gzip without a time in it, as Debian wants documents. */
function packed(words: string): Buffer {
  return gzipSync(words, { level: 9 });
}
