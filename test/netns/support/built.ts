import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SERVICE = fileURLToPath(new URL('../../../dist/bin/linkspand.js', import.meta.url));

/** The built service; throws where it was not built, since every test here runs the programs as they are shipped. */
export function builtService(): string {
  if (!existsSync(SERVICE)) throw new Error(`${SERVICE} is missing; run "npm run build" first`);
  if (process.getuid?.() !== 0) throw new Error('these tests make network namespaces and need root');
  return SERVICE;
}
