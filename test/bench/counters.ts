import { readFile } from 'node:fs/promises';
import type { NetworkNamespace } from '../lab/namespace.ts';

const TICKS_PER_SECOND = 100;
const IDLE = 3;
const IOWAIT = 4;
/** what follows is time of guests, which is within the time of their host's programs */
const COUNTED = 8;

/** Seconds that all processors together have worked since boot: everything but idle and waiting for disks. */
export async function processorSeconds(): Promise<number> {
  const [first = ''] = (await readFile('/proc/stat', 'utf8')).split('\n', 1);
  const ticks = first
    .split(/\s+/)
    .slice(1, 1 + COUNTED)
    .map(Number);
  const worked = ticks.filter((_, index) => index !== IDLE && index !== IOWAIT);
  return worked.reduce((sum, value) => sum + value, 0) / TICKS_PER_SECOND;
}

/** UDP datagrams that programs of the namespace have sent and received so far, by the kernel's own count. */
export async function datagrams(
  namespace: NetworkNamespace,
): Promise<{ readonly sent: number; readonly received: number }> {
  const { stdout } = await namespace.exec('cat', '/proc/net/snmp');
  const [, received, sent] = /^Udp: (\d+) \d+ \d+ (\d+)/m.exec(stdout) ?? [];
  return { sent: Number(sent), received: Number(received) };
}

/** Resident memory of a process, in MB. */
export async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024) / 1e6;
}

/** What the kernel dropped at a gateway since a datapath could not keep up, before it would have seen it. */
export type KernelDrops = {
  /** packets from the underlay: the receive buffers of the UDP sockets were full */
  readonly kernel_socket: number;
  /** frames of workloads: the TAP's queue was full */
  readonly kernel_tap: number;
};

/** Where the drops stand in a namespace's /proc/net/snmp and, 12th of an interface's numbers, in /proc/net/dev. */
export async function kernelDrops(namespace: NetworkNamespace, tap: string): Promise<KernelDrops> {
  const { stdout } = await namespace.exec('cat', '/proc/net/snmp', '/proc/net/dev');
  const socket = /^Udp: (?:\d+ ){4}(\d+)/m.exec(stdout)?.[1];
  const queue = new RegExp(String.raw`^ *${tap}:(?: +\d+){11} +(\d+)`, 'm').exec(stdout)?.[1];
  if (socket === undefined || queue === undefined)
    throw new Error(`no drops of ${tap} in ${namespace.name}:\n${stdout}`);
  return { kernel_socket: Number(socket), kernel_tap: Number(queue) };
}
