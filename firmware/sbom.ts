/**
 * The software bill of materials of an image, SPDX 2.3 as JSON on stdout: Debian's packages and the npm packages that are
 * built into Linkspan. The same input gives the same bytes.
 *
 *   node firmware/sbom.ts BOARD VERSION build/work/BOARD/packages.txt package-lock.json
 */
import { readFileSync } from 'node:fs';

export interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo: string;
  readonly supplier: string;
  readonly downloadLocation: string;
  readonly filesAnalyzed: boolean;
  readonly licenseConcluded: string;
  readonly licenseDeclared: string;
  readonly copyrightText: string;
  readonly primaryPackagePurpose: string;
  readonly homepage?: string;
  readonly sourceInfo?: string;
  readonly checksums?: readonly { algorithm: string; checksumValue: string }[];
  readonly externalRefs?: readonly { referenceCategory: string; referenceType: string; referenceLocator: string }[];
}

interface Relationship {
  readonly spdxElementId: string;
  readonly relationshipType: string;
  readonly relatedSpdxElement: string;
}

export interface SpdxDocument {
  readonly SPDXID: string;
  readonly spdxVersion: string;
  readonly name: string;
  readonly documentNamespace: string;
  readonly creationInfo: { readonly created: string; readonly creators: readonly string[] };
  readonly packages: readonly SpdxPackage[];
  readonly relationships: readonly Relationship[];
}

interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

/** What nobody looked into. */
const UNKNOWN = 'NOASSERTION';
const IMAGE = 'SPDXRef-image';

/** An identifier of SPDX: letters, digits, dots and hyphens. */
function reference(...parts: readonly string[]): string {
  return `SPDXRef-${parts
    .join('-')
    .replaceAll('+', 'plus')
    .replaceAll(/[^A-Za-z0-9.]+/g, '-')}`;
}

function described(details: Partial<SpdxPackage> & Pick<SpdxPackage, 'SPDXID' | 'name' | 'versionInfo'>): SpdxPackage {
  return {
    supplier: UNKNOWN,
    downloadLocation: UNKNOWN,
    filesAnalyzed: false,
    licenseConcluded: UNKNOWN,
    licenseDeclared: UNKNOWN,
    copyrightText: UNKNOWN,
    primaryPackagePurpose: 'LIBRARY',
    ...details,
  };
}

function packageUrl(referenceLocator: string): NonNullable<SpdxPackage['externalRefs']> {
  return [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator }];
}

/** The fields of a stanza of Debian's control files, without lines that continue one. */
function fieldsOf(stanza: string): ReadonlyMap<string, string> {
  const fields = [...stanza.matchAll(/^([A-Za-z-]+): *(.*)$/gm)];
  return new Map(fields.map(([, key = '', value = '']) => [key, value]));
}

function debianPackage(stanza: string): SpdxPackage {
  const fields = fieldsOf(stanza);
  const field = (key: string): string => fields.get(key) ?? '';
  const [name, version, architecture] = [field('Package'), field('Version'), field('Architecture')];
  const own = name === 'linkspan';
  const source = field('Source') || name;
  const locator = `pkg:deb/${own ? 'linkspan' : 'debian'}/${encodeURIComponent(name)}@${encodeURIComponent(version)}`;
  return described({
    SPDXID: reference('deb', name),
    name,
    versionInfo: version,
    supplier: own ? UNKNOWN : 'Organization: Debian',
    licenseDeclared: own ? 'Apache-2.0' : UNKNOWN,
    primaryPackagePurpose: own ? 'APPLICATION' : 'LIBRARY',
    sourceInfo: `built from source package ${source}`,
    ...(fields.has('Homepage') ? { homepage: field('Homepage') } : {}),
    externalRefs: packageUrl(`${locator}?arch=${architecture}${own ? '' : '&distro=trixie'}`),
  });
}

/** Debian's packages, from their control files with an empty line between each two. */
export function debianPackages(control: string): readonly SpdxPackage[] {
  const stanzas = control.split(/\n{2,}/).filter((stanza) => stanza.trim() !== '');
  return stanzas.map((stanza) => debianPackage(stanza));
}

/** Whether a list of npm's (`os`, `cpu`, `libc`) lets this one in. */
function admits(list: readonly string[] | undefined, wanted: string): boolean {
  return list === undefined || list.includes(wanted);
}

function inImage(entry: LockEntry): boolean {
  const fits = admits(entry.os, 'linux') && admits(entry.cpu, 'arm64') && admits(entry.libc, 'glibc');
  return fits && entry.dev !== true;
}

/** npm's licences are SPDX expressions, but for "SEE LICENSE IN …", "UNLICENSED" and what people make up. */
function licence(said: string | undefined): string {
  const expression = /^\(?[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*\)?$/;
  return said !== undefined && said !== 'UNLICENSED' && expression.test(said) ? said : UNKNOWN;
}

function npmPackage(path: string, entry: LockEntry): SpdxPackage {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const version = entry.version ?? '';
  const [algorithm = '', hash = ''] = (entry.integrity ?? '').split('-');
  const checksumValue = Buffer.from(hash, 'base64').toString('hex');
  return described({
    SPDXID: reference('npm', name.replace('@', ''), version),
    name,
    versionInfo: version,
    licenseDeclared: licence(entry.license),
    ...(hash === '' ? {} : { checksums: [{ algorithm: algorithm.toUpperCase(), checksumValue }] }),
    externalRefs: packageUrl(`pkg:npm/${name.replace('@', '%40')}@${version}`),
  });
}

/** The npm packages of npm's lock that are built into Linkspan on arm64; each version once, wherever it lies. */
export function npmPackages(lock: string): readonly SpdxPackage[] {
  const { packages } = JSON.parse(lock) as { packages: Readonly<Record<string, LockEntry>> };
  const found = Object.entries(packages).filter(([path, entry]) => path !== '' && inImage(entry));
  return [
    ...new Map(found.map(([path, entry]) => npmPackage(path, entry)).map((item) => [item.SPDXID, item])).values(),
  ];
}

export interface Contents {
  readonly board: string;
  readonly version: string;
  /** seconds since 1970 */
  readonly created: number;
  readonly debian: readonly SpdxPackage[];
  readonly npm: readonly SpdxPackage[];
}

function related(spdxElementId: string, relationshipType: string, relatedSpdxElement: string): Relationship {
  return { spdxElementId, relationshipType, relatedSpdxElement };
}

function relationships({ debian, npm }: Contents): readonly Relationship[] {
  return [
    related('SPDXRef-DOCUMENT', 'DESCRIBES', IMAGE),
    ...debian.map(({ SPDXID }) => related(IMAGE, 'CONTAINS', SPDXID)),
    ...npm.map(({ SPDXID }) => related(reference('deb', 'linkspan'), 'CONTAINS', SPDXID)),
  ];
}

export function billOfMaterials(contents: Contents): SpdxDocument & { readonly dataLicense: string } {
  const name = `linkspan-${contents.version}-${contents.board}`;
  const image = { SPDXID: IMAGE, name, versionInfo: contents.version, primaryPackagePurpose: 'OPERATING_SYSTEM' };
  return {
    SPDXID: 'SPDXRef-DOCUMENT',
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    name,
    documentNamespace: `https://spdx.org/spdxdocs/${name}`,
    creationInfo: {
      created: new Date(contents.created * 1000).toISOString().replace('.000', ''),
      creators: [`Tool: linkspan-sbom-${contents.version}`],
    },
    packages: [described(image), ...contents.debian, ...contents.npm],
    relationships: relationships(contents),
  };
}

function main([board = '', version = '', control = '', lock = '']: readonly string[]): void {
  if (lock === '') throw new Error('usage: sbom.ts BOARD VERSION PACKAGES LOCK');
  const document = billOfMaterials({
    board,
    version,
    created: Number(process.env['SOURCE_DATE_EPOCH'] ?? 0),
    debian: debianPackages(readFileSync(control, 'utf8')),
    npm: npmPackages(readFileSync(lock, 'utf8')),
  });
  process.stdout.write(`${JSON.stringify(document, undefined, 1)}\n`);
}

if (import.meta.main) main(process.argv.slice(2));
