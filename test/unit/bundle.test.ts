import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withoutImports } from '../../scripts/bundle-builtins.ts';
import { SERVICE_FLAGS } from '../lab/flags.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'bundle-'));
  // for the packages that stay outside
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(directory, 'gw.yaml'), 'gateway: gw-a\n');
  // not in here: esbuild does not take jest's Uint8Array for one
  run(`import { bundle } from '${ROOT}scripts/bundle.ts'; await bundle('${directory}/dist');`);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs a module's text and returns what it prints. */
function run(program: string, ...flags: readonly string[]): string {
  const argv = ['--disable-warning=ExperimentalWarning', ...flags, '--input-type=module', '-e', program];
  return execFileSync(process.execPath, argv, { encoding: 'utf8', cwd: directory });
}

/** What of Node a program has loaded when it ends. */
function loadedBy(program: string, ...args: readonly string[]): readonly string[] {
  const report = join(directory, 'report.mjs');
  const list = join(directory, 'loaded.json');
  writeFileSync(
    report,
    `const { writeFileSync } = process.getBuiltinModule('node:fs');
     process.on('exit', () => writeFileSync('${list}', JSON.stringify(process.moduleLoadList)));`,
  );
  const argv = [...SERVICE_FLAGS, '--import', report, join(directory, 'dist/bin', program), ...args];
  execFileSync(process.execPath, argv, { stdio: 'ignore' });
  const loaded = JSON.parse(readFileSync(list, 'utf8')) as string[];
  return loaded.map((name) => name.replace(/^\w+ /, ''));
}

const called = (code: string): string => withoutImports(`${code}\nuse();`).replace(/\nuse\(\);$/, '');

describe("a bundle's imports of Node's own modules", () => {
  test('become calls, which read no property that nobody asked for', () => {
    expect(called('import { readFileSync, existsSync as existsSync2 } from "node:fs";')).toBe(
      'const { readFileSync, existsSync: existsSync2 } = process.getBuiltinModule("node:fs");',
    );
    expect(called('import {\n  a,\n  b as c\n} from "node:net";')).toBe(
      'const {\n  a,\n  b: c\n} = process.getBuiltinModule("node:net");',
    );
    expect(called('import http2 from "node:http";')).toBe('const http2 = process.getBuiltinModule("node:http");');
    expect(called('import * as path from "path";')).toBe('const path = process.getBuiltinModule("path");');
    expect(called('import fs, { stat } from "fs";')).toBe(
      'const fs = process.getBuiltinModule("fs"); const { stat } = process.getBuiltinModule("fs");',
    );
    expect(called('import "node:zlib";')).toBe('process.getBuiltinModule("node:zlib");');
  });

  test('of anything else stay', () => {
    for (const code of [
      'import Database from "better-sqlite3";',
      'import { a } from "../chunks/chunk-A.js";',
      '  import x from "fs";',
    ])
      expect(called(code)).toBe(code);
  });
});

describe('the bundle', () => {
  test('holds the compiled check of documents in place of Ajv', () => {
    const text = execFileSync('sh', ['-c', `cat ${directory}/dist/chunks/*.js ${directory}/dist/bin/*.js`], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    expect(text).toContain('// src/document/validator.ts');
    expect(text).not.toContain('node_modules/ajv/dist/core.js');
  });

  test('finds the same wrong with documents as the sources do', () => {
    const documents = [
      { v: 1, version: 1, spec: {} },
      { v: 2, version: 0, spec: { networks: { 'Not a name': {} }, more: 1 } },
      { v: 1, version: 1, spec: { networks: { a: { driver: 'overlay', vni: 0 }, b: { driver: 'token-ring' } } } },
      {
        v: 1,
        version: 1,
        spec: { workloads: { w: { sandbox: { netns: 'a', pid: 1 }, networks: { a: { mac: 'x' } } } } },
      },
      [],
    ];
    const check = `JSON.stringify(${JSON.stringify(documents)}.map((one) => checkSchema(one)))`;
    const bundled = `import { build } from '${ROOT}node_modules/esbuild/lib/main.js';
      import { compiledSchema } from '${ROOT}scripts/bundle-schema.ts';
      await build({ entryPoints: ['${ROOT}src/document/schema.ts'], outfile: '${directory}/schema.cjs', bundle: true,
        platform: 'node', plugins: [compiledSchema] });
      const { checkSchema } = (await import('${directory}/schema.cjs')).default;
      console.log(${check});`;
    const source = `import { checkSchema } from '${ROOT}src/document/schema.ts'; console.log(${check});`;
    expect(JSON.parse(run(bundled))).toEqual(JSON.parse(run(source)));
  });
});

test('what a program does not need of Node it does not load', () => {
  const checking = loadedBy('linkspand.js', '--check', '--config', join(directory, 'gw.yaml'));
  expect(checking).toContain('fs');
  for (const name of ['internal/deps/undici/undici', 'http', 'crypto', 'child_process', 'internal/fs/streams'])
    expect(checking).not.toContain(name);
  const asking = loadedBy('linkspan.js', '--help');
  for (const name of ['internal/deps/undici/undici', 'crypto', 'zlib', 'internal/fs/streams'])
    expect(asking).not.toContain(name);
  const carrying = loadedBy('linkspan-datapath.js', '--help');
  for (const name of ['internal/deps/undici/undici', 'http', 'crypto', 'child_process', 'worker_threads'])
    expect(carrying).not.toContain(name);
});
