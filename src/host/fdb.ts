import { run } from './run.ts';

/** An entry of a vxlan device's forwarding table; the all-zero MAC is the flood list (head-end replication). */
export type FdbRow = { readonly mac: string; readonly ip: string; readonly port: number | undefined };

export const FLOOD = '00:00:00:00:00:00';

type RawRow = { mac: string; ifname?: string; dst?: string; port?: number; state?: string };

/** The permanent entries with a remote VTEP, by device: those we made. Learned ones come and go by themselves. */
export async function readFdb(): Promise<ReadonlyMap<string, readonly FdbRow[]>> {
  const text = await run(['bridge', '-j', 'fdb', 'show']);
  const rows = new Map<string, FdbRow[]>();
  for (const raw of JSON.parse(text || '[]') as RawRow[]) {
    if (raw.ifname === undefined || raw.dst === undefined || raw.state !== 'permanent') continue;
    rows.set(raw.ifname, [...(rows.get(raw.ifname) ?? []), { mac: raw.mac, ip: raw.dst, port: raw.port }]);
  }
  return rows;
}

function words(row: FdbRow, device: string): string {
  return `${row.mac} dev ${device} dst ${row.ip}${row.port === undefined ? '' : ` port ${row.port}`} self`;
}

/**
 * Brings a device's table from what it holds to what it shall hold. What is new comes first, so that a VTEP that moved
 * is reached at its new place before the old one goes. `-force`: an entry that the kernel refuses must not keep the
 * others from being made.
 */
export async function syncFdb(device: string, add: readonly FdbRow[], remove: readonly FdbRow[]): Promise<void> {
  const replaced = new Set(add.filter((row) => row.mac !== FLOOD).map((row) => row.mac));
  const lines = [
    ...add.map((row) => `fdb ${row.mac === FLOOD ? 'append' : 'replace'} ${words(row, device)} permanent`),
    ...remove.filter((row) => !replaced.has(row.mac)).map((row) => `fdb del ${words(row, device)}`),
  ];
  if (lines.length > 0) await run(['bridge', '-force', '-batch', '-'], `${lines.join('\n')}\n`);
}
