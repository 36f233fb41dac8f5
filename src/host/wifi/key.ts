import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { LinkspanError, messageOf } from '../../service/errors.ts';

/** A passphrase of 8 to 63 ASCII characters, or the 64 hex digits of a key (IEEE 802.11 annex M.4). */
const KEY = /^(?:[\x20-\x7e]{8,63}|[0-9A-Fa-f]{64})$/;
const FILE_MAX = 128;
const READABLE_BY_OTHERS = 0o004;
const HOW = 'put the WiFi key there, in a file of mode 600';

/**
 * Reads a WiFi key at the moment when it is needed; a line break at the end of the file is no part of it.
 * @throws LinkspanError `wifi_key` where there is none, or others may read it too; never with the key itself
 */
export async function readKey(path: string): Promise<string> {
  const { text, mode, isFile } = await read(path);
  if (!isFile) throw wrong(path, 'it is no file', HOW);
  if ((mode & READABLE_BY_OTHERS) !== 0) throw wrong(path, 'everyone on this gateway may read it', `chmod 600 ${path}`);
  const key = text.replace(/\r?\n$/, '');
  if (KEY.test(key)) return key;
  throw wrong(path, 'it holds no WiFi key', 'write 8 to 63 ASCII characters or 64 hex digits there, on one line');
}

/** Changes when the file does: a key that was mended is worth a new try. Undefined where there is no such file. */
export async function keyStamp(path: string): Promise<string | undefined> {
  const file = await stat(path).catch(() => undefined);
  return file && `${file.ino} ${file.mtimeMs} ${file.ctimeMs} ${file.size}`;
}

/** A pipe's end would be waited for, by a thread that all else needs too. */
async function read(path: string): Promise<{ text: string; mode: number; isFile: boolean }> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const about = await file.stat();
    const [mode, isFile] = [about.mode, about.isFile()];
    if (!isFile) return { text: '', mode, isFile };
    const { buffer, bytesRead } = await file.read(Buffer.alloc(FILE_MAX), 0, FILE_MAX, 0);
    return { text: buffer.toString('latin1', 0, bytesRead), mode, isFile };
  } catch (error) {
    throw wrong(path, messageOf(error), HOW);
  }
}

function wrong(object: string, reason: string, remedy: string): LinkspanError {
  return new LinkspanError({ code: 'wifi_key', object, reason, remedy });
}
