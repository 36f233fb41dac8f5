import { type FileHandle, open } from 'node:fs/promises';
import { CliError, EXIT } from './exit.ts';

const SECTOR = 512;
const ENTRIES_MAX = 1024;
const ENTRY_MIN = 128;
const NAME_AT = 56;

/** Where the partition of that name begins in an image, in bytes (UEFI specification, section 5.3). */
export async function findPartition(image: string, name: string): Promise<number> {
  const file = await open(image);
  try {
    return (await beginOf(file, name)) ?? noSuchPartition(image, name);
  } finally {
    await file.close();
  }
}

async function beginOf(file: FileHandle, name: string): Promise<number | undefined> {
  const header = await read(file, SECTOR, SECTOR);
  if (header.toString('latin1', 0, 8) !== 'EFI PART') return undefined;
  const [at, count, size] = [Number(header.readBigUInt64LE(72)), header.readUInt32LE(80), header.readUInt32LE(84)];
  if (!Number.isSafeInteger(at * SECTOR) || count > ENTRIES_MAX || size < ENTRY_MIN || size > SECTOR * 8)
    return undefined;
  const table = await read(file, at * SECTOR, count * size);
  for (let n = 0; n < count; n += 1) {
    const entry = table.subarray(n * size, n * size + ENTRY_MIN);
    const [first, last] = [entry.readBigUInt64LE(32), entry.readBigUInt64LE(40)];
    if (nameIn(entry) === name && first > 0n && last >= first) return Number(first) * SECTOR;
  }
  return undefined;
}

function nameIn(entry: Buffer): string {
  return entry.toString('utf16le', NAME_AT, ENTRY_MIN).replace(/\0.*$/s, '');
}

async function read(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await file.read(buffer, 0, length, at);
  return buffer;
}

function noSuchPartition(image: string, name: string): never {
  const remedy = 'name an image of Linkspan, .img or .img.zst';
  throw new CliError(
    EXIT.refused,
    `${image.replace(/\.raw$/, '')}: no disk image with a partition "${name}"; ${remedy}`,
  );
}
