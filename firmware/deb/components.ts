import { globSync, readFileSync } from 'node:fs';
import type { Component } from './copyright.ts';

/** What npm packages say of themselves, by their folders; each once, though several may have been unpacked. */
export function componentsIn(folders: readonly string[]): readonly Component[] {
  const all = folders.map((folder) => componentIn(folder));
  return [...new Map(all.map((one) => [`${one.name} ${one.version}`, one])).values()];
}

function componentIn(folder: string): Component {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as Record<
    string,
    string
  >;
  const [file] = globSync(`${folder}/{LICEN[SC]E,licen[sc]e,COPYING}*`).sort();
  const text = file === undefined ? licenceInReadme(folder) : readFileSync(file, 'utf8');
  return {
    name: name ?? folder,
    version: version ?? '',
    licence: license ?? 'see below',
    text: text.replaceAll('\r', ''),
  };
}

function licenceInReadme(folder: string): string {
  const [file] = globSync(`${folder}/README*`);
  const readme = file === undefined ? '' : readFileSync(file, 'utf8');
  const [, text] = /^#+ *licen[sc]e *\n([\s\S]*?)(?=^#|(?![\s\S]))/im.exec(readme) ?? [];
  return text ?? 'It names its licence only.';
}
