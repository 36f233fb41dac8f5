// The work of scripts/build-deb: lays out each architecture's package and has dpkg-deb pack it.
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { parseArgs, promisify } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { ARCHITECTURES, type Architecture } from './architecture.ts';
import { programs, surroundings } from './contents.ts';
import { made } from './made.ts';
import { modulesFor, rawSocketFor } from './modules.ts';
import { installedSize, md5sums, settle, stage } from './stage.ts';

const MAINTAINER = 'Linkspan maintainers <maintainers@linkspan.invalid>';
const RECIPE = 'firmware/deb';
const SCRIPTS = ['postinst', 'prerm', 'postrm'];
// Of 103 MB of Node the least xz makes 32 MB in 9 s, the next 30 MB in 11 s, the third 29.6 MB in 23 s. zstd's 34.6 MB in
// 4 s are no Debian package to lintian. One thread: what several write depends on how many there are.
const PACKING = ['-Zxz', '-z1', '--threads-max=1', '--root-owner-group'];

const { values } = parseArgs({
  options: { arch: { type: 'string', multiple: true }, output: { type: 'string', default: 'build/deb' } },
});
const epoch = Number(process.env['SOURCE_DATE_EPOCH'] ?? execFileSync('git', ['log', '-1', '--format=%ct']));
mkdirSync(values.output, { recursive: true });
const packing = asked(values.arch).map((architecture) =>
  pack(layOut(architecture, values.output), `${values.output}/linkspan_${manifest.version}_${architecture.debian}.deb`),
);
await Promise.all(packing);

function asked(names: readonly string[] | undefined): readonly Architecture[] {
  const unknown = names?.find((name) => !ARCHITECTURES.some(({ debian }) => debian === name));
  if (unknown !== undefined) {
    process.stderr.write(`usage: scripts/build-deb [--arch arm64|amd64]… [--output DIR]; not ${unknown}\n`);
    process.exit(2);
  }
  return ARCHITECTURES.filter(({ debian }) => names?.includes(debian) ?? true);
}

/** Lays out one package's files and returns their folder. */
function layOut(architecture: Architecture, output: string): string {
  const root = `${output}/root-${architecture.debian}`;
  const folder = `build/npm-${architecture.debian}`;
  const modules = modulesFor(architecture, folder);
  const running = programs(modules, rawSocketFor(architecture, modules, `${folder}/raw.node`), architecture);
  const release = { version: manifest.version, maintainer: MAINTAINER, epoch };
  stage(root, [...running, ...surroundings(flagsOf), ...made(running, release)], architecture);
  control(root, architecture);
  settle(root, epoch);
  return root;
}

async function pack(root: string, file: string): Promise<void> {
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
  await promisify(execFile)('dpkg-deb', ['--build', ...PACKING, root, file], { env });
  rmSync(root, { recursive: true });
  process.stdout.write(`${file}\n`);
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
