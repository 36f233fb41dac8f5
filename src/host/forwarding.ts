import { readdir, readFile, writeFile } from 'node:fs/promises';

const DEVICES = '/proc/sys/net/ipv4/conf';

/** Who forwards IPv4. */
export type ObservedForwarding = {
  /** the host as a whole (`net.ipv4.ip_forward`), which Linkspan never changes */
  readonly host: boolean;
  /** what comes in by these is forwarded: the kernel asks the arriving packet's interface alone */
  readonly devices: ReadonlySet<string>;
};

export async function readForwarding(): Promise<ObservedForwarding> {
  const names = await readdir(DEVICES);
  const on = await Promise.all(names.map(async (name) => ((await isOn(name)) ? [name] : [])));
  const devices = new Set(on.flat());
  const host = devices.delete('all');
  devices.delete('default');
  return { host, devices };
}

async function isOn(name: string): Promise<boolean> {
  const text = await readFile(fileOf(name), 'utf8').catch(unlessGone);
  return text !== undefined && text.trim() !== '0';
}

/** Interfaces that are gone meanwhile are left out. */
export async function setForwarding(devices: readonly string[], on: boolean): Promise<void> {
  await Promise.all(devices.map((name) => writeFile(fileOf(name), on ? '1' : '0').catch(unlessGone)));
}

const fileOf = (name: string): string => `${DEVICES}/${name}/forwarding`;

function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
