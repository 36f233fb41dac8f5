// The work of scripts/build-deb: lays out each architecture's package and has dpkg-deb pack it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Metafile } from 'esbuild';
import manifest from '../../package.json' with { type: 'json' };
import { BOOTSTRAP_KEYS } from '../../src/service/bootstrap-keys.ts';
import { ARCHITECTURES, type Architecture } from './architecture.ts';
import { conffile } from './conffile.ts';
import { type Entry, programs, surroundings } from './contents.ts';
import { datapathId, datapathSources } from './datapath-id.ts';
import { modulesFor } from './modules.ts';
import { installedSize, md5sums, settle, stage } from './stage.ts';

const MAINTAINER = 'Linkspan maintainers <maintainers@linkspan.invalid>';
const RECIPE = 'firmware/deb';
const SCRIPTS = ['postinst', 'prerm', 'postrm'];
// zstd packs Node in a fifth of the time of the least xz, unpacks it in a tenth, and is a seventh larger. One thread:
// what several write depends on how many there are.
const PACKING = ['-Zzstd', '-z9', '--threads-max=1', '--root-owner-group'];

const { values } = parseArgs({
  options: { arch: { type: 'string', multiple: true }, output: { type: 'string', default: 'build/deb' } },
});
const epoch = Number(process.env['SOURCE_DATE_EPOCH'] ?? execFileSync('git', ['log', '-1', '--format=%ct']));
mkdirSync(values.output, { recursive: true });
for (const architecture of asked(values.arch)) process.stdout.write(`${build(architecture, values.output)}\n`);

function asked(names: readonly string[] | undefined): readonly Architecture[] {
  const unknown = names?.find((name) => !ARCHITECTURES.some(({ debian }) => debian === name));
  if (unknown !== undefined) {
    process.stderr.write(`usage: scripts/build-deb [--arch arm64|amd64]… [--output DIR]; not ${unknown}\n`);
    process.exit(2);
  }
  return ARCHITECTURES.filter(({ debian }) => names?.includes(debian) ?? true);
}

/** Builds one package and returns its path. */
function build(architecture: Architecture, output: string): string {
  const root = `${output}/root-${architecture.debian}`;
  const modules = modulesFor(architecture, `build/npm-${architecture.debian}`);
  const running = programs(modules, architecture);
  stage(root, [...running, ...surroundings(flagsOf), ...made(running)], architecture);
  control(root, architecture);
  settle(root, epoch);
  const file = `${output}/linkspan_${manifest.version}_${architecture.debian}.deb`;
  execFileSync('dpkg-deb', ['--build', ...PACKING, root, file], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  rmSync(root, { recursive: true });
  return file;
}

/** Files that no file of the checkout has. */
function made(running: readonly Entry[]): readonly Entry[] {
  const meta = JSON.parse(readFileSync('dist/meta.json', 'utf8')) as Metafile;
  const parts = running.flatMap((entry) =>
    'from' in entry && /node$|wasm$|koffi.*js$/.test(entry.from) ? [entry.from] : [],
  );
  const sources = [...datapathSources(meta), ...parts, 'systemd/linkspan-datapath.service'];
  return [
    { text: datapathId(sources.map((path) => readFileSync(path))), to: 'usr/lib/linkspan/datapath.id' },
    { text: conffile(BOOTSTRAP_KEYS), to: 'etc/linkspan/linkspan.yaml' },
  ];
}

function control(root: string, { debian }: Architecture): void {
  const [size, sums] = [installedSize(root), md5sums(root)];
  mkdirSync(`${root}/DEBIAN`);
  const known = { VERSION: manifest.version, ARCHITECTURE: debian, MAINTAINER, SIZE: String(size) };
  const template = readFileSync(`${RECIPE}/control.in`, 'utf8');
  const text = Object.entries(known).reduce((so_far, [name, value]) => so_far.replace(`@${name}@`, value), template);
  writeFileSync(`${root}/DEBIAN/control`, text);
  writeFileSync(`${root}/DEBIAN/md5sums`, sums);
  writeFileSync(`${root}/DEBIAN/conffiles`, '/etc/linkspan/linkspan.yaml\n');
  for (const name of SCRIPTS)
    writeFileSync(`${root}/DEBIAN/${name}`, readFileSync(`${RECIPE}/${name}`), { mode: 0o755 });
}

/** Node's options for a program, as its unit has them. */
function flagsOf(program: string): string {
  const file = { linkspand: 'node-flags', 'linkspan-datapath': 'datapath-flags' }[program];
  return file === undefined ? '' : readFileSync(`systemd/${file}`, 'utf8').trim();
}
