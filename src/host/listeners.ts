import { readdir, readFile, readlink } from 'node:fs/promises';
import { ipFromNumber } from '../model/ip.ts';
import type { Protocol } from '../model/network.ts';

/** A socket of this host that waits for packets from anyone. */
export type Listener = {
  readonly protocol: Protocol;
  /** canonical; `0.0.0.0` or `::` for all */
  readonly address: string;
  readonly port: number;
  /** the process that holds it, as `NAME (PID)`, where it can be told */
  readonly process: string | undefined;
};

type Socket = Omit<Listener, 'process'> & { readonly inode: string };

/** State of a socket in the kernel's tables: TCP listening, UDP unconnected. */
const WAITING: Readonly<Record<'tcp' | 'udp', string>> = { tcp: '0A', udp: '07' };

/** The listeners at these ports, each `PROTOCOL PORT`. A look at nothing costs nothing. */
export async function readListeners(ports: ReadonlySet<string>): Promise<readonly Listener[]> {
  if (ports.size === 0) return [];
  const taken = (await readSockets()).filter(({ protocol, port }) => ports.has(`${protocol} ${port}`));
  const owners = taken.length === 0 ? new Map<string, string>() : await ownersOf(taken);
  return taken.map(({ protocol, address, port, inode }) => ({ protocol, address, port, process: owners.get(inode) }));
}

/** All that listen, without whose they are: that would cost a look at every process. */
export async function readSockets(): Promise<readonly Socket[]> {
  const tables = [table('tcp', ''), table('tcp', '6'), table('udp', ''), table('udp', '6'), sctp()];
  return (await Promise.all(tables)).flat();
}

async function rows(file: string): Promise<readonly (readonly string[])[]> {
  const text = await readFile(`/proc/self/net/${file}`, 'utf8').catch(() => '');
  const lines = text.split('\n').slice(1).filter(Boolean);
  return lines.map((line) => line.trim().split(/\s+/));
}

async function table(protocol: 'tcp' | 'udp', suffix: '' | '6'): Promise<readonly Socket[]> {
  const all = await rows(`${protocol}${suffix}`);
  return all
    .filter((row) => row[3] === WAITING[protocol])
    .map((row) => {
      const [address = '', port = ''] = row[1]?.split(':') ?? [];
      return { protocol, address: decode(address), port: Number.parseInt(port, 16), inode: row[9] ?? '' };
    });
}

/** An address as the kernel prints it, in words of 32 bits in the host's byte order (little-endian, as is every target). */
function decode(hex: string): string {
  const bytes = Buffer.from(hex, 'hex').swap32();
  const value = BigInt(`0x${bytes.toString('hex')}`);
  const mapped = bytes.length === 16 && value >> 32n === 0xffffn;
  return mapped ? ipFromNumber(value & 0xffff_ffffn, 4) : ipFromNumber(value, bytes.length === 4 ? 4 : 6);
}

/** SCTP's endpoints, of which one may have several addresses. */
async function sctp(): Promise<readonly Socket[]> {
  const all = await rows('sctp/eps');
  return all.flatMap(([, , , , , port = '', , inode = '', ...addresses]) =>
    addresses.map((address): Socket => ({ protocol: 'sctp', address, port: Number(port), inode })),
  );
}

/** By inode of the socket: who holds it. Processes that may not be looked into are left out. */
async function ownersOf(sockets: readonly Socket[]): Promise<ReadonlyMap<string, string>> {
  const wanted = new Map(sockets.map(({ inode }) => [`socket:[${inode}]`, inode]));
  const owners = new Map<string, string>();
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  await Promise.all(pids.map((pid) => findSockets(pid, wanted, owners)));
  return owners;
}

async function findSockets(
  pid: string,
  wanted: ReadonlyMap<string, string>,
  owners: Map<string, string>,
): Promise<void> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const targets = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
  for (const inode of targets.flatMap((target) => wanted.get(target) ?? [])) {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'process');
    owners.set(inode, `${name.trim()} (${pid})`);
  }
}
