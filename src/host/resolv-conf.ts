import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';

const NAMESERVER = /^\s*nameserver\s+(\S+)/;
/** As in the C library (resolv.conf(5)). */
const MAX_SERVERS = 3;

/** The name servers that a resolv.conf lists, in order; IPv6 ones may name their interface (`fe80::1%eth0`). */
export function parseNameservers(text: string): readonly string[] {
  return text
    .split('\n')
    .flatMap((line) => NAMESERVER.exec(line)?.[1] ?? [])
    .filter((server) => isIP(server) !== 0)
    .slice(0, MAX_SERVERS);
}

/** The host's name servers, read anew whenever the file has changed. */
export class HostNameservers {
  readonly #path: string;
  #version = '';
  #servers: readonly string[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** None where there is no such file. */
  async list(): Promise<readonly string[]> {
    const file = await stat(this.#path).catch(() => undefined);
    if (file === undefined) return [];
    const version = `${file.ino} ${file.size} ${file.mtimeMs}`;
    if (version !== this.#version) {
      this.#servers = parseNameservers(await readFile(this.#path, 'utf8').catch(() => ''));
      this.#version = version;
    }
    return this.#servers;
  }
}
