import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type Certified = { readonly cert: string; readonly key: string };

/** An authority made by openssl, with its files in a folder of the test's. */
export class Authority {
  readonly ca: string;
  readonly #folder: string;
  readonly #name: string;

  constructor(folder: string, name = 'ca') {
    [this.#folder, this.#name] = [folder, name];
    this.ca = this.#file(`${name}.crt`);
    const subject = ['-subj', `/CN=${name}`, '-days', '2', '-keyout', this.#file(`${name}.key`), '-out', this.ca];
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject);
  }

  /** A certificate of that name, for that address; `days` below 0: it has expired. */
  issue(name: string, { address = '127.0.0.1', days = 2 } = {}): Certified {
    const [cert, key, request] = ['crt', 'key', 'csr'].map((end) => this.#file(`${name}.${end}`)) as [
      string,
      string,
      string,
    ];
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`, '-keyout', key, '-out', request); // prettier-ignore
    const extensions = this.#file(`${name}.ext`);
    writeFileSync(extensions, `subjectAltName=IP:${address}\n`);
    const by = ['-CA', this.ca, '-CAkey', this.#file(`${this.#name}.key`), '-CAcreateserial', '-days', `${days}`];
    openssl('x509', '-req', '-in', request, ...by, '-extfile', extensions, '-out', cert);
    chmodSync(key, 0o600);
    return { cert, key };
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }
}

function openssl(...argv: readonly string[]): void {
  execFileSync('openssl', argv, { stdio: 'pipe' });
}
