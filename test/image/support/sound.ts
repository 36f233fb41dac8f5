import { expect } from '@jest/globals';
import type { Appliance } from '../../lab/image/appliance.ts';

const CHECK = `
const Database = require('/usr/lib/linkspan/node_modules/better-sqlite3');
const db = new Database('/var/lib/linkspan/linkspan.db', { readonly: true });
console.log(db.pragma('integrity_check', { simple: true }));`;

/** After whatever happened, it answers, under its name, and its database is whole; returns its configuration's version. */
export async function expectSound(gateway: Appliance, name: string): Promise<number | null> {
  await gateway.ready();
  await gateway.shellReady();
  const status = await gateway.status();
  expect(status.gateway).toBe(name);
  const { stdout } = await gateway.run(['/usr/lib/linkspan/node', '-e', CHECK]);
  expect(stdout.trim()).toBe('ok');
  return status.config.applied_version;
}
