import { CommandError, ipBatch } from '../host/run.ts';
import { existsSync } from 'node:fs';
import type { EndpointStore } from './attach.ts';

/**
 * Takes an interface out of its sandbox. May be called twice: a namespace or an interface that is gone already is what
 * was wanted. A veth's host end goes with it.
 * @param object `endpoint/<workload>/<network>`
 */
export async function detach(sandbox: string, name: string, object: string, store: EndpointStore): Promise<void> {
  try {
    await ipBatch([`link del dev ${name}`], sandbox);
  } catch (error) {
    if (!isGone(error, sandbox)) throw error;
  }
  const [, workload = '', network = ''] = object.split('/');
  store.remove(workload, network);
}

/** Whether a command failed because the interface or its namespace is gone. */
function isGone(error: unknown, sandbox: string): boolean {
  if (!(error instanceof CommandError)) return false;
  if (error.stderr.includes('Cannot find device')) return true;
  return !existsSync(sandbox);
}
