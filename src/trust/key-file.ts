import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { LinkspanError, messageOf } from '../service/errors.ts';
import { formatSigningKey, makeSigningKey, parseSigningKey, type SigningKey } from './key.ts';

const PRIVATE = 0o600;
const OTHERS = 0o077;

/** The key in a PEM file. @throws LinkspanError `bad_key` where there is none that can be used */
export function readKeyFile(path: string): SigningKey {
  return parseSigningKey(read(path)) ?? broken(path, 'is no Ed25519 key in PEM');
}

/** The same, after making the file with a new key where there is none. */
export function readOrMakeKeyFile(path: string): SigningKey {
  try {
    // a disk that is full has the key that is on it
    if (!existsSync(path)) makeKeyFile(path);
  } catch (error) {
    if (!isThere(error)) return broken(path, messageOf(error), error);
  }
  return readKeyFile(path);
}

/** Makes the file, readable for its owner alone, with a new key; never over another, and never half of one. */
export function makeKeyFile(path: string): SigningKey {
  const key = makeSigningKey();
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.new`;
  rmSync(draft, { force: true });
  try {
    writeDurably(draft, formatSigningKey(key));
    // unlike a rename, a link refuses a name that is taken
    linkSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
  return key;
}

/** Whether the error says that the file is there already. */
export function isThere(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'EEXIST';
}

function writeDurably(path: string, text: string): void {
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const file = openSync(path, O_CREAT | O_EXCL | O_WRONLY, PRIVATE);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function read(path: string): string {
  try {
    if ((statSync(path).mode & OTHERS) !== 0) throw new Error('others than its owner may read it; chmod 600 it');
    return readFileSync(path, 'utf8');
  } catch (error) {
    return broken(path, messageOf(error), error);
  }
}

function broken(path: string, reason: string, cause?: unknown): never {
  const remedy = 'mend its path, or move it away for a new one to be made, which must then be enrolled';
  throw new LinkspanError({ code: 'bad_key', object: path, reason, remedy, cause });
}
