import { cleanUp } from '../reconcile/cleanup.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import { createLog } from '../service/log.ts';
import { openStore } from '../store/store.ts';
import { EXIT } from './arguments.ts';

/** Removes what is ours from the host, tells what it was, and returns the exit code. */
export async function cleanup(bootstrap: Bootstrap): Promise<number> {
  const store = openStore(bootstrap.state.path, createLog(bootstrap.log));
  const rows = store.endpoints.list();
  const { removed, failed } = await cleanUp(
    bootstrap.gateway,
    rows.map((row) => row.sandbox),
    store.endpoints,
    bootstrap.datapath.socket,
  );
  store.close();
  for (const what of removed) process.stdout.write(`${what}\n`);
  for (const what of failed) process.stderr.write(`not removed: ${what}\n`);
  return failed.length === 0 ? EXIT.ok : EXIT.failure;
}
