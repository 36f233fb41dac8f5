import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from '@jest/globals';

const SOURCE = join(import.meta.dirname, '..', 'src');

/** Which folder of src/ may import which others. Everything may import model and service's log, errors, clock and token bucket. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  bin: [
    'datapath',
    'cli',
    'control',
    'docker',
    'status',
    'peers',
    'reconcile',
    'resolver',
    'firmware',
    'document',
    'host',
    'store',
    'trust',
    'service',
  ],
  // for the fleet's owner: of control, the topics and the way to a broker; the gateways' file, and tools that write images
  cli: ['trust', 'control', 'service', 'host'],
  control: ['status', 'reconcile', 'peers', 'trust', 'names', 'document', 'host', 'packet'],
  docker: ['reconcile', 'attach', 'drivers', 'ipam', 'host'],
  status: ['reconcile', 'peers', 'drivers', 'datapath', 'host', 'service'],
  peers: [],
  // signatures on what peers say; reads bytes as they do
  trust: ['peers'],
  // how a new firmware comes, proves itself or goes again; what it needs of the host comes in by its ports
  firmware: [],
  // what workloads are called; and the resolvers that tell them
  names: [],
  resolver: ['names', 'host'],
  // of packet, what rules compare frames with
  reconcile: ['attach', 'drivers', 'datapath', 'host', 'ipam', 'packet'],
  attach: ['drivers', 'host', 'packet'],
  drivers: ['datapath', 'host', 'ipam'],
  // its sockets and TAPs are the ports that the datapath asks for; what a DHCP client tells is read by ipam
  host: ['datapath', 'packet', 'ipam'],
  datapath: ['packet'],
  store: [],
  document: ['ipam'],
  ipam: [],
  packet: [],
  service: [],
  model: [],
};

const EVERYWHERE = /^(?:model\/|service\/(?:log|errors|clock|token-bucket)\.ts$)/;
const PURE = new Set(['model', 'packet', 'document', 'ipam', 'datapath', 'names']);
const PLANNERS = [
  'plan',
  'plan-links',
  'plan-endpoints',
  'twins',
  'endpoint-drift',
  'plan-datapath',
  'plan-neighbours',
  'plan-port',
  'narrow-path',
  'intend',
  'effective',
  'difference',
  'wifi-state',
  'nat/intent',
  'nat/translations',
  'nat/maps',
  'nat/inet-rules',
  'nat/bridge-rules',
  'nat/docker-rules',
  'nat/plan-nat',
  'guards/chains',
  'guards/loop-rules',
  'guards/plan-guards',
  'guards/port-rules',
  'guards/profiles',
  'guards/source-rules',
];
const FIRMWARE = ['decide', 'health', 'memory', 'problem', 'resting', 'retry', 'version', 'words'];
const PURE_FILES = new Set([
  ...PLANNERS.map((name) => `reconcile/${name}.ts`),
  ...FIRMWARE.map((name) => `firmware/${name}.ts`),
]);
const PURE_NODE_MODULES = new Set(['node:crypto', 'node:net']);
const IMPORT = /^(?:import|export)\b([^;'"]*?)\bfrom\s+['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/gm;

type Import = { readonly file: string; readonly target: string; readonly typeOnly: boolean };

const imports: readonly Import[] = globSync('*/**/*.ts', { cwd: SOURCE }).flatMap((file) =>
  [...readFileSync(join(SOURCE, file), 'utf8').matchAll(IMPORT)].map((match) => {
    const name = match[2] ?? match[3] ?? '';
    const target = name.startsWith('.') ? relative(SOURCE, join(SOURCE, dirname(file), name)) : name;
    return { file, target, typeOnly: /^\s*type\b/.test(match[1] ?? '') };
  }),
);

const folderOf = (path: string): string => path.split('/')[0] ?? '';
const pure = (file: string): boolean => PURE.has(folderOf(file)) || PURE_FILES.has(file);
const isOwn = ({ target }: Import): boolean => folderOf(target) in ARROWS;

test('src has the folders of the plan and no others', () => {
  const folders = new Set(globSync('*/', { cwd: SOURCE }).map((name) => name.replace('/', '')));
  expect([...folders].toSorted()).toEqual(Object.keys(ARROWS).toSorted());
});

test('every import follows an arrow of the plan', () => {
  const wrong = imports
    .filter((entry) => isOwn(entry) && folderOf(entry.target) !== folderOf(entry.file))
    .filter(({ target }) => !EVERYWHERE.test(target))
    .filter(({ file, target }) => !ARROWS[folderOf(file)]?.includes(folderOf(target)))
    .map(({ file, target }) => `${file} -> ${target}`);
  expect(wrong).toEqual([]);
});

test('the arrows make no circle', () => {
  const reached = (from: string, seen = new Set<string>()): ReadonlySet<string> => {
    for (const next of ARROWS[from] ?? []) if (!seen.has(next)) reached(next, seen.add(next));
    return seen;
  };
  expect(Object.keys(ARROWS).filter((folder) => reached(folder).has(folder))).toEqual([]);
});

test('pure code touches neither the host nor a timer', () => {
  const wrong = imports
    .filter(({ file }) => pure(file))
    .filter(({ target, typeOnly }) => {
      if (target.startsWith('node:')) return !PURE_NODE_MODULES.has(target);
      // A planner knows the host's shapes, never its functions; fdb.ts gives it one constant.
      return folderOf(target) === 'host' && !typeOnly && target !== 'host/fdb.ts';
    })
    .map(({ file, target }) => `${file} -> ${target}`);
  const timers = globSync('*/**/*.ts', { cwd: SOURCE })
    .filter((file) => pure(file))
    .filter((file) => /\b(?:setTimeout|setInterval|Date\.now)\(/.test(readFileSync(join(SOURCE, file), 'utf8')));
  expect([...wrong, ...timers]).toEqual([]);
});
