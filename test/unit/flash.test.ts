import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, afterEach, expect, test } from '@jest/globals';
import { run } from '../lab/exec.ts';

const FLASH = join(import.meta.dirname, '../../scripts/flash');
const BLOCK = 4096;
const BLOCKS = 700;
/** What of the image has contents: first and last block. Between them lies what nobody has to write. */
const MAPPED = [
  [0, 0],
  [3, 300],
  [640, 699],
] as const;

let folder: string;
let raw: Buffer;
let device: string;
let image: string;

const at = (name: string): string => join(folder, name);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A small image as build-image leaves one: compressed, with its block map, checksums and their signature. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flash-'));
  raw = Buffer.alloc(BLOCKS * BLOCK);
  for (const [first, last] of MAPPED) raw.subarray(first * BLOCK, (last + 1) * BLOCK).fill(`block ${first} `);
  image = at('linkspan-1.0.0-test.img.zst');
  device = at('card');
  writeFileSync(at('linkspan-1.0.0-test.img'), raw);
  writeFileSync(at('linkspan-1.0.0-test.img.bmap'), blockMap());
  writeFileSync(device, Buffer.alloc(BLOCKS * BLOCK, 'what was on the card '));
  await run(['zstd', '-q', at('linkspan-1.0.0-test.img'), '-o', image]);
  await sign('key.pem', 'cert.pem');
});
afterEach(() => rmSync(folder, { recursive: true }));

function blockMap(): string {
  const ranges = MAPPED.map(([first, last]) => {
    const sum = sha256(raw.subarray(first * BLOCK, (last + 1) * BLOCK));
    return `        <Range chksum="${sum}"> ${first === last ? first : `${first}-${last}`} </Range>`;
  });
  const sizes = `    <ImageSize> ${raw.length} </ImageSize>\n    <BlockSize> ${BLOCK} </BlockSize>`;
  return `<bmap version="2.0">\n${sizes}\n    <BlockMap>\n${ranges.join('\n')}\n    </BlockMap>\n</bmap>\n`;
}

async function sign(key: string, cert: string): Promise<void> {
  const files = [image, `${image.slice(0, -'.zst'.length)}.bmap`];
  const sums = files.map((file) => `${sha256(readFileSync(file))}  ${file.slice(folder.length + 1)}\n`);
  writeFileSync(at('SHA256SUMS'), sums.join(''));
  const pair = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=test'];
  await run(['openssl', 'req', '-x509', ...pair, '-keyout', at(key), '-out', at(cert)]);
  const signer = ['-signer', at(cert), '-inkey', at(key)];
  const output = ['-in', at('SHA256SUMS'), '-outform', 'DER', '-out', at('SHA256SUMS.p7s')];
  await run(['openssl', 'cms', '-sign', '-binary', ...signer, ...output]);
}

async function flash(...argv: string[]): Promise<{ code: number; said: string }> {
  const { code, stdout, stderr } = await run([FLASH, ...argv], { allowFailure: true });
  return { code, said: stdout + stderr };
}

const signed = (): string[] => ['--yes', '--force', '--cert', at('cert.pem')];

test('writes what has contents, leaves the rest, and says what comes next', async () => {
  const before = readFileSync(device);
  const { code, said } = await flash(...signed(), image, device);
  expect([code, said]).toEqual([0, expect.stringContaining('read back and right')]);
  const after = readFileSync(device);
  expect(after.length).toBe(before.length);
  for (const [first, last] of MAPPED) {
    const window = [first * BLOCK, (last + 1) * BLOCK] as const;
    expect(after.subarray(...window).equals(raw.subarray(...window))).toBe(true);
  }
  expect(after.subarray(BLOCK, 3 * BLOCK).equals(before.subarray(BLOCK, 3 * BLOCK))).toBe(true);
  expect(said).toContain('linkspan.yaml');
});

test('refuses an image that was changed after it was signed', async () => {
  const bytes = readFileSync(image);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(image, bytes);
  await expectRefusal('damaged or incomplete', ...signed(), image, device);
});

test('refuses checksums that somebody else signed, or that were changed', async () => {
  await sign('other-key.pem', 'other-cert.pem');
  await expectRefusal('not signed by', ...signed(), image, device);
  await sign('key.pem', 'cert.pem');
  writeFileSync(at('SHA256SUMS'), `${readFileSync(at('SHA256SUMS'), 'utf8')}\n`);
  await expectRefusal('not signed by', ...signed(), image, device);
});

test('without a certificate it asks for one, or for a word that none is wanted', async () => {
  await expectRefusal('--unsigned', '--yes', '--force', '--cert', at('missing.pem'), image, device);
  expect((await flash('--yes', '--force', '--unsigned', image, device)).code).toBe(0);
});

test('writes nothing before somebody has said yes', async () => {
  await expectRefusal('nothing was written', '--force', '--cert', at('cert.pem'), image, device);
});

test('refuses what is no disk', async () => {
  await expectRefusal('is a file', '--yes', '--cert', at('cert.pem'), image, device);
  await expectRefusal('is no disk', '--yes', '--cert', at('cert.pem'), image, '/dev/null');
  await expectRefusal('is no disk', '--yes', '--cert', at('cert.pem'), image, at('missing'));
});

test('refuses the disk that the system runs from', async () => {
  const { stdout } = await run(['lsblk', '--nodeps', '--noheadings', '--paths', '--output', 'NAME,TYPE']);
  const disks = stdout.split('\n').flatMap((line) => (/^(\S+) +disk$/.exec(line.trim()) ?? []).slice(1));
  const { stdout: source } = await run(['findmnt', '--noheadings', '--output', 'SOURCE', '/']);
  const own = disks.filter((disk) => source.startsWith(disk));
  // Without --yes: should the check be missing one day, nobody answers the question.
  for (const disk of own) await expectRefusal('in use', '--force', '--cert', at('cert.pem'), image, disk);
});

async function expectRefusal(words: string, ...argv: string[]): Promise<void> {
  const before = readFileSync(device);
  const { code, said } = await flash(...argv);
  expect([code, said]).toEqual([1, expect.stringContaining(words)]);
  expect(readFileSync(device).equals(before)).toBe(true);
}
