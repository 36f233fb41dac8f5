import { globSync, readFileSync } from 'node:fs';
import type { Architecture } from './architecture.ts';

/** One file of the package: `from` is a file of the checkout, `text` its contents. Modes other than these are 0644. */
export type Entry = { readonly to: string; readonly executable?: true } & (
  | { readonly from: string }
  | { readonly text: string | Buffer }
);

const LIB = 'usr/lib/linkspan';
const UNITS = 'usr/lib/systemd/system';

/** What runs: the bundle, and of each package with native parts no more than Node loads. */
export function programs(modules: string, rawSocket: string, { npm }: Architecture): readonly Entry[] {
  const koffi = `@koromix/koffi-linux-${npm}`;
  return [
    { from: `${modules}/node-linux-${npm}/bin/node`, to: `${LIB}/node`, executable: true },
    { text: '{ "type": "module" }\n', to: `${LIB}/package.json` },
    ...['linkspan', 'linkspand', 'linkspan-datapath'].map((name) => script(name)),
    ...below('dist', '{bin/*-worker.js,chunks/*,wasm/*}', LIB),
    { from: 'dist/host/udhcpc-hook', to: `${LIB}/host/udhcpc-hook`, executable: true },
    ...below(modules, `better-sqlite3/{package.json,lib/**/*.js,prebuilds/linux-${npm}.node}`, `${LIB}/node_modules`),
    ...below(
      modules,
      'koffi/{package.json,{,src/koffi/}index.{js,cjs},src/koffi/src/static.{js,cjs}}',
      `${LIB}/node_modules`,
    ),
    ...below(modules, `${koffi}/{package.json,index.js,linux_${npm}/koffi.node}`, `${LIB}/node_modules`),
    ...below(modules, 'raw-socket/{package.json,index.js}', `${LIB}/node_modules`),
    { from: rawSocket, to: `${LIB}/node_modules/raw-socket/build/Release/raw.node` },
  ];
}

/** Where systemd and the shell find them. `flags`: of Node, for each program. */
export function surroundings(flags: (program: string) => string): readonly Entry[] {
  const starter = (name: string): string =>
    `#!/bin/sh\nexec ${`/${LIB}/node ${flags(name)}`.trim()} /${LIB}/bin/${name}.js "$@"\n`;
  return [
    { text: starter('linkspan'), to: 'usr/bin/linkspan', executable: true },
    { text: starter('linkspand'), to: 'usr/bin/linkspand', executable: true },
    { text: starter('linkspan-datapath'), to: 'usr/bin/linkspan-datapath', executable: true },
    ...below('systemd', '*.{service,socket}', UNITS),
    { from: 'systemd/linkspan.sysctl.conf', to: 'usr/lib/sysctl.d/60-linkspan.conf' },
    { from: 'systemd/linkspan.sysusers.conf', to: 'usr/lib/sysusers.d/linkspan.conf' },
    { from: 'systemd/linkspan.tmpfiles.conf', to: 'usr/lib/tmpfiles.d/linkspan.conf' },
    { from: 'src/document/desired.schema.json', to: 'usr/share/linkspan/desired.schema.json' },
    { from: 'firmware/deb/lintian-overrides', to: 'usr/share/lintian/overrides/linkspan' },
    ...below('systemd', 'mosquitto/*', 'usr/share/doc/linkspan/examples'),
  ];
}

/** Without its first line, which names a `node` to be looked for: here the starters name it. */
function script(name: string): Entry {
  const text = readFileSync(`dist/bin/${name}.js`, 'utf8').replace(/^#!.*\n/, '');
  return { text, to: `${LIB}/bin/${name}.js` };
}

function below(folder: string, pattern: string, to: string): readonly Entry[] {
  const files = globSync(`${folder}/${pattern}`).map((path) => path.slice(folder.length + 1));
  return files.sort().map((path) => ({ from: `${folder}/${path}`, to: `${to}/${path}` }));
}
