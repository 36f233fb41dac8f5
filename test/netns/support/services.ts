import { fileURLToPath } from 'node:url';
import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import type { LabProcess } from '../../lab/process.ts';
import { until } from '../../lab/wait.ts';

export type Transport = 'tcp' | 'udp';

const program = (name: string): string => fileURLToPath(new URL(`${name}.child.ts`, import.meta.url));
const PATIENCE_MS = 2500;

/** A service that answers everybody on TCP and UDP with its name and the address it sees them from, until the lab's close. */
export async function serve(
  lab: Lab,
  at: Namespace,
  name: string,
  port: number,
  ...binds: readonly string[]
): Promise<LabProcess> {
  const hosts = binds.length === 0 ? ['0.0.0.0', '::'] : binds;
  const process_ = await lab.process(at, [process.execPath, program('answer'), name, String(port), ...hosts]);
  await until(`${name} to listen on ${port}`, () => {
    if (!process_.running) throw new Error(`the service ended: ${process_.log()}`);
    return process_.log().includes('ready');
  });
  return process_;
}

/** What the service at `address` answers, `NAME sees ADDRESS`, or undefined where none does. */
export async function ask(
  from: Namespace,
  transport: Transport,
  address: string,
  port: number,
  { patience = PATIENCE_MS, source }: { patience?: number; source?: number } = {},
): Promise<string | undefined> {
  const words = [transport, address, port, patience, ...(source === undefined ? [] : [source])].map(String);
  const { code, stdout } = await from.attempt(process.execPath, program('ask'), ...words);
  return code === 0 ? stdout.trim() : undefined;
}
