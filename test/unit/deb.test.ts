import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ARCHITECTURES, elfMachine } from '../../firmware/deb/architecture.ts';
import { debianChangelog } from '../../firmware/deb/changelog.ts';
import { conffile } from '../../firmware/deb/conffile.ts';
import { bundledPackages, copyright } from '../../firmware/deb/copyright.ts';
import { datapathId, datapathSources } from '../../firmware/deb/datapath-id.ts';
import { manPage } from '../../firmware/deb/man.ts';
import { commandHelp } from '../../firmware/deb/pages.ts';
import { VERBS } from '../../src/cli/main.ts';
import { BOOTSTRAP_KEYS } from '../../src/service/bootstrap-keys.ts';
import { type Bootstrap, loadBootstrap } from '../../src/service/bootstrap.ts';

function load(text: string): Bootstrap {
  const folder = mkdtempSync(join(tmpdir(), 'linkspan-conffile-'));
  try {
    writeFileSync(join(folder, 'linkspan.yaml'), text);
    return loadBootstrap({ file: join(folder, 'linkspan.yaml'), env: {}, flags: {} });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the bootstrap file of the package', () => {
  const installed = conffile(BOOTSTRAP_KEYS);
  const defaults = loadBootstrap({ env: {}, flags: {} });
  const closed = {
    ...defaults,
    mqtt: { ...defaults.mqtt, embedded: { ...defaults.mqtt.embedded, listen: '127.0.0.1:1883' } },
  };

  test('means the defaults, with a broker that no network reaches', () => {
    expect(load(installed)).toEqual(closed);
  });

  test('means the same with every key uncommented', () => {
    const uncommented = installed
      .replaceAll(/^( *)#(\w+:)/gm, '$1$2')
      .replace("gateway: ''", `gateway: ${defaults.gateway}`);
    expect(uncommented).not.toMatch(/^ *#\w+:/m);
    expect(load(uncommented)).toEqual(closed);
  });

  test('names every key once', () => {
    for (const key of Object.keys(BOOTSTRAP_KEYS)) expect(installed).toContain(`${key.split('.').at(-1)}: `);
    expect(installed.match(/^ *#?\w+: \S/gm)).toHaveLength(Object.keys(BOOTSTRAP_KEYS).length);
  });
});

describe('manual pages', () => {
  const page = {
    section: 8,
    summary: 'does it',
    version: '1.2.3',
    date: '2026-01-02',
    files: [['/etc/x', "x's file"]],
  } as const;
  const help =
    'Usage: x-d --config FILE\n\nDoes it.\n  --config FILE   the file,\n                  or none\n  --help          this\n\nEach key:\n  a.b\n      its meaning\n      X_A_B\n';

  test('have the sections of man(7), in order, from the text of --help', () => {
    const text = manPage({ ...page, name: 'x-d', help, seeAlso: ['y(1)'] });
    expect(text.match(/^\.(?:TH|SH) .*/gm)).toEqual([
      '.TH X\\-D 8 "2026-01-02" "Linkspan 1.2.3" "Linkspan"',
      '.SH NAME',
      '.SH SYNOPSIS',
      '.SH DESCRIPTION',
      '.SH EACH KEY',
      '.SH FILES',
      '.SH SEE ALSO',
    ]);
    expect(text).toContain('.SH SYNOPSIS\n\\fBx\\-d\\fR \\-\\-config FILE\n');
    expect(text).toContain('.TP\n\\fB\\-\\-config FILE\\fR\nthe file,\nor none\n.TP\n');
    expect(text).toContain('.TP\n\\fBa.b\\fR\nits meaning\n.br\nX_A_B\n.SH FILES');
    expect(text).toContain('x\\(aqs file');
  });

  test('take no line for a request', () => {
    const text = manPage({ ...page, name: 'x', help: 'Usage: x\n\n.so /etc/shadow\n\\fBno\n', seeAlso: [] });
    expect(text).toContain('\n\\&.so /etc/shadow\n\\efBno\n');
  });

  test('tell of every command how it is used', () => {
    const lines = commandHelp(VERBS).split('\n');
    const told = lines.flatMap((line) => [/^ {2}(\S.*?) {2,}(.*)$/.exec(line)?.slice(1) ?? []]);
    for (const { name, usage, summary } of VERBS)
      expect(told).toContainEqual([`${name} ${usage.replaceAll(/\s+/g, ' ')}`.trim(), summary]);
  });
});

describe('changelog', () => {
  const markdown =
    '# Changelog\n\nWhat it is.\n\n## [0.2.0] - unreleased\n\n### Added\n\n- One `thing`, see\n  [there](docs/x.md).\n- Two\n\n## [0.1.0] - 2026-01-02\n\nThe first.\n';

  test('has an entry each version, points without Markdown, dates of Debian', () => {
    expect(debianChangelog(markdown, 'A <a@b>', 86_400)).toBe(
      'linkspan (0.2.0) stable; urgency=medium\n\n  * One thing, see there.\n  * Two\n\n -- A <a@b>  Fri, 02 Jan 1970 00:00:00 +0000\n\n' +
        'linkspan (0.1.0) stable; urgency=medium\n\n  * The first.\n\n -- A <a@b>  Fri, 02 Jan 2026 00:00:00 +0000\n',
    );
  });

  test('keeps to 80 columns', () => {
    const text = debianChangelog(readFileSync('CHANGELOG.md', 'utf8'), 'A <a@b>', 0);
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });
});

describe('what the datapath is made of', () => {
  const outputs = {
    'dist/bin/linkspan-datapath.js': output(['src/bin/linkspan-datapath.ts'], ['dist/chunks/a.js']),
    'dist/bin/datapath-worker.js': output(['src/bin/datapath-worker.ts'], ['dist/chunks/b.js', 'koffi']),
    'dist/bin/linkspand.js': output(['src/bin/linkspand.ts'], ['dist/chunks/a.js']),
    'dist/chunks/a.js': output(['src/service/log.ts', 'package.json'], ['dist/chunks/b.js']),
    'dist/chunks/b.js': output(['src/packet/vxlan.ts'], ['dist/chunks/a.js']),
  };

  test('are the sources of its programs and of what they share, without the version', () => {
    expect(datapathSources({ outputs })).toEqual([
      'src/bin/datapath-worker.ts',
      'src/bin/linkspan-datapath.ts',
      'src/packet/vxlan.ts',
      'src/service/log.ts',
    ]);
  });

  test('has another name once a byte differs, or moves to another file', () => {
    expect(id('ab', 'c')).toMatch(/^[0-9a-f]{64}\n$/);
    expect(new Set([id('ab', 'c'), id('a', 'bc'), id('ab', 'd'), id('abc')]).size).toBe(4);
  });
});

test('copyright names each bundled package with its licence, and Debian’s own copy of the longest', () => {
  const inputs = {
    'src/a.ts': source(),
    'node_modules/@x/y/a.js': source(),
    'node_modules/a/node_modules/b/c.js': source(),
  };
  expect(bundledPackages({ inputs })).toEqual(['node_modules/@x/y', 'node_modules/a/node_modules/b']);
  const text = copyright([
    { name: 'b', version: '1', licence: 'MIT', text: 'Copyright B\n' },
    { name: 'c', version: '2', licence: 'Apache-2.0', text: '   Apache License\n  Version 2.0, …' },
  ]);
  expect(text).toContain(' b 1: MIT\n c 2: Apache-2.0\n');
  expect(text).toContain('\nb 1\n\nCopyright B\n');
  expect(text).toContain('\nc 2\n\nSee /usr/share/common-licenses/Apache-2.0.\n');
});

test('an ELF file tells its machine', () => {
  const head = Buffer.from(`7f454c46020101${'00'.repeat(9)}0300b700`, 'hex');
  expect(elfMachine(head)).toBe(ARCHITECTURES.find(({ debian }) => debian === 'arm64')?.machine);
  expect(elfMachine(head.subarray(0, 19))).toBeUndefined();
  expect(elfMachine(Buffer.from('#!/bin/sh\n'.repeat(3)))).toBeUndefined();
});

test.each(['postinst', 'prerm', 'postrm'])(
  'a POSIX shell understands %s, and ends it where a command fails',
  (name) => {
    expect(readFileSync(`firmware/deb/${name}`, 'utf8')).toMatch(/^#!\/bin\/sh\n(?:#.*\n)+set -eu\n/);
    expect(spawnSync('sh', ['-n', `firmware/deb/${name}`], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  },
);

function id(...texts: readonly string[]): string {
  return datapathId(texts.map((text) => Buffer.from(text)));
}

function output(inputs: readonly string[], imports: readonly string[]): never {
  return {
    inputs: Object.fromEntries(inputs.map((path) => [path, {}])),
    imports: imports.map((path) => ({ path })),
  } as never;
}

function source(): never {
  return {} as never;
}
