import { run } from '../run.ts';

/** Longer than nmcli is ever told to wait, on a slow gateway too. */
const TIMEOUT_MS = 30_000;

/** Runs NetworkManager's command line. No argument of it is ever a secret: /proc shows them to everyone. @throws CommandError */
export function nmcli(args: readonly string[]): Promise<string> {
  return run(['nmcli', ...args], '', { locale: 'C.UTF-8', timeoutMs: TIMEOUT_MS });
}
