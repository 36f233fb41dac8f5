import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { LinkspanError, messageOf } from '../service/errors.ts';
import { readNote, writeNote } from './state-notes.ts';
import { syncDirectory } from './sync-directory.ts';

/** Left free for all else that is stored. */
const RESERVE = 32 * 1024 * 1024;
/** Is on the disk after so many bytes: that much is fetched again after a power cut, at most. */
const SYNC_EVERY = 16 * 1024 * 1024;

type Wanted = { readonly url: string; readonly version?: string };
type Paths = { readonly part: string; readonly whole: string; readonly tag: string };
type Opened = { readonly response: IncomingMessage; readonly from: number; readonly total: number | undefined };

/** Bundles from the network, kept in a directory of their own; one that was cut off is gone on with. */
export class BundleDownloads {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Forgets all but that one's. */
  clear(keep?: Wanted): void {
    if (!existsSync(this.#directory)) return;
    const kept = keep && nameOf(keep);
    for (const name of readdirSync(this.#directory))
      if (kept === undefined || !name.startsWith(kept)) rmSync(join(this.#directory, name), { force: true });
  }

  /** Returns the whole file. @throws LinkspanError `download_failed` or `no_space` */
  async fetch(wanted: Wanted, onProgress: (percent: number) => void, signal: AbortSignal): Promise<string> {
    const name = nameOf(wanted);
    const paths = { part: `${name}.part`, whole: `${name}.raucb`, tag: `${name}.tag` };
    const whole = join(this.#directory, paths.whole);
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    if (existsSync(whole)) return whole;
    try {
      await this.#continue(wanted.url, paths, onProgress, signal);
    } catch (error) {
      throw told(wanted.url, error);
    }
    renameSync(join(this.#directory, paths.part), whole);
    syncDirectory(this.#directory);
    return whole;
  }

  async #continue(
    url: string,
    paths: Paths,
    onProgress: (percent: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const file = await open(join(this.#directory, paths.part), 'a', 0o600);
    try {
      const { size } = await file.stat();
      const opened = await openAt(url, size, readNote(this.#directory, paths.tag), signal);
      if (opened.from === 0) await file.truncate();
      writeNote(this.#directory, paths.tag, tagOf(opened.response));
      await this.#take(file, opened, onProgress);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #take(
    file: FileHandle,
    { response, from, total }: Opened,
    onProgress: (percent: number) => void,
  ): Promise<void> {
    const { bavail, bsize } = await statfs(this.#directory);
    const most = from + Math.max(0, bavail * bsize - RESERVE);
    let [size, unsynced] = [from, 0];
    if (total !== undefined && total > most) throw noSpace(total, most);
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > most) throw noSpace(size, most);
      await file.write(chunk);
      unsynced += chunk.length;
      if (unsynced >= SYNC_EVERY) {
        await file.datasync();
        unsynced = 0;
      }
      if (total !== undefined) onProgress((100 * size) / total);
    }
    if (total !== undefined && size !== total) throw new Error(`it ended after ${size} of ${total} bytes`);
  }
}

/** By URL and version: what another version has at the same URL is another file. */
function nameOf({ url, version = '' }: Wanted): string {
  return createHash('sha256').update(`${version} ${url}`).digest('hex').slice(0, 32);
}

/** From where the file ends, if it is still the same one there. */
async function openAt(url: string, size: number, tag: string, signal: AbortSignal): Promise<Opened> {
  const isKnown = size > 0 && tag !== '';
  // Loaded where it is wanted: it brings the whole of TLS.
  const { openUrl } = await import('./open-url.ts');
  const response = await openUrl(url, isKnown ? { range: `bytes=${size}-`, 'if-range': tag } : {}, signal);
  const { statusCode: status, headers } = response;
  const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  if (status === 200) return { response, from: 0, total: length };
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers['content-range'] ?? '');
  if (status === 206 && range !== null && Number(range[1]) === size) {
    return { response, from: size, total: Number(range[3]) };
  }
  response.destroy();
  if (status === 416 || status === 206) return openAt(url, 0, '', signal);
  throw new Error(`the server answered ${status}`);
}

/** What tells one state of the file from another; a weak tag does not. */
function tagOf({ headers }: IncomingMessage): string {
  const { etag, 'last-modified': modified } = headers;
  return etag !== undefined && !etag.startsWith('W/') ? etag : (modified ?? '');
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 / 1024)} MB`;
}

function noSpace(size: number, most: number): LinkspanError {
  return new LinkspanError({
    code: 'no_space',
    object: 'the bundle',
    reason: `it has ${megabytes(size)} and there is room for ${megabytes(most)}`,
    remedy: 'free some space on the data partition, or install it from a USB stick',
  });
}

function told(url: string, error: unknown): LinkspanError {
  if (error instanceof LinkspanError) return error;
  const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
  return new LinkspanError({
    code: full ? 'no_space' : 'download_failed',
    object: url,
    reason: messageOf(error),
    remedy: full ? 'free some space on the data partition' : 'it is gone on with where a document asks for it',
    cause: error,
  });
}
