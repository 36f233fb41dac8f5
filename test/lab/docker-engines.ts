import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './exec.ts';

const SCRIPT = fileURLToPath(new URL('docker-engines.sh', import.meta.url));
/** They come over the network, some 180 MB. */
const FETCH_MS = 900_000;

/** Debian 12's Docker (20.10), and that of the release after it (26 or later). */
export type EngineName = 'bookworm' | 'newer';
export const ENGINES: readonly EngineName[] = ['bookworm', 'newer'];

export type Engines = {
  /** holds a root per engine */
  readonly folder: string;
  /** the root of an image with busybox, for `docker import` */
  readonly image: string;
};

/** Where Docker's engines lie, unpacked; fetches them where they are not there yet. Throws what apt said. */
export async function dockerEngines(): Promise<Engines> {
  const { stdout } = await run(['sh', SCRIPT], { timeoutMs: FETCH_MS });
  const folder = stdout.trim();
  return { folder, image: join(folder, 'busybox.tar') };
}
