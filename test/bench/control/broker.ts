import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Credentials } from '../../../src/control/session/credentials.ts';
import type { Lab } from '../../lab/lab.ts';
import { LabProcess } from '../../lab/process.ts';
import { until } from '../../lab/wait.ts';
import { makeCertificates } from './certificates.ts';

/** What mosquitto has open beside its clients. */
const SPARE_FILES = 100;

/** A running broker, and how a gateway comes to it. */
export type Broker = { readonly pid: number; readonly access: Credentials & { readonly url: string } };

/**
 * Starts mosquitto on a free port of loopback, for so many clients; it is ended at the lab's close. Its queue is as the
 * operator's guide wants it: with the default of 1000, messages are dropped on a cold start of many.
 */
export async function startBroker(lab: Lab, clients: number, tls: boolean): Promise<Broker> {
  refuseTooMany(clients);
  const [folder, port] = [await lab.folder(), await freePort()];
  const { lines, credentials } = tls ? await makeCertificates(lab, folder) : { lines: [], credentials: {} };
  const file = join(folder, 'mosquitto.conf');
  const fixed = ['allow_anonymous true', 'persistence false', 'max_queued_messages 100000', 'log_dest stderr'];
  await lab.write(file, ['user root', `listener ${port} 127.0.0.1`, ...lines, ...fixed, ''].join('\n'));
  // in no namespace of a lab's own: it must end with the bench, however that ends
  const process = await LabProcess.start(['setpriv', '--pdeathsig', 'KILL', 'mosquitto', '-c', file]);
  lab.defer(() => process.stop());
  await until('mosquitto to run', () => !process.running || /mosquitto version \S+ running/.test(process.log()));
  if (!process.running) throw new Error(`mosquitto ended at start: ${process.log()}`);
  return { pid: process.pid, access: { ...credentials, url: `${tls ? 'mqtts' : 'mqtt'}://127.0.0.1:${port}` } };
}

/** The version that a table's head names. */
export async function brokerVersion(lab: Lab): Promise<string> {
  const { stdout } = await lab.run(['mosquitto', '-h'], { allowFailure: true });
  return /mosquitto version (\S+)/.exec(stdout)?.[1] ?? 'of unknown version';
}

/** Node has raised its own soft limit to the hard one at its start, and what it starts inherits that. */
function refuseTooMany(clients: number): void {
  const files = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
  const needed = clients + SPARE_FILES;
  if (files < needed)
    throw new Error(
      `${clients} connections need ${needed} open files, this shell allows ${files}: raise it with \`ulimit -n ${needed}\`, or give fewer --gateways`,
    );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}
