import type { Metafile } from 'esbuild';

/** A piece of somebody else's that the package contains. */
export type Component = {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly text: string;
};

const OURS = `Linkspan, the network half of an edge gateway.

License: Apache-2.0
 On Debian systems the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0.

It contains, below /usr/lib/linkspan, unchanged but for bundling and stripping:
`;

/** Folders of the npm packages that were bundled, as the bundler names them. */
export function bundledPackages({ inputs }: Pick<Metafile, 'inputs'>): readonly string[] {
  const folders = Object.keys(inputs).map((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

/** The file `copyright`: ours, what else is contained, and the licence of each in its own words. */
export function copyright(components: readonly Component[]): string {
  const list = components.map(({ name, version, licence }) => ` ${name} ${version}: ${licence}\n`).join('');
  return `${OURS}\n${list}${components.map(section).join('')}`;
}

function section({ name, version, text }: Component): string {
  // Debian has one copy of the longest of all, and wants no other.
  const words = /^\s*Apache License\s+Version 2\.0/.test(text) ? 'See /usr/share/common-licenses/Apache-2.0.' : text;
  return `\n${'-'.repeat(78)}\n${name} ${version}\n\n${words.trim()}\n`;
}
