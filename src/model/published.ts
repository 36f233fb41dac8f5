import { familyOf } from './ip.ts';
import type { PublishedPort } from './network.ts';

/** Stands for every address of its family, as in `0.0.0.0:8080:80`. */
const ANY: Readonly<Record<4 | 6, string>> = { 4: '0.0.0.0', 6: '::' };

/** The families of the gateway's addresses at which the port is published. */
export function familiesOf(hostAddress: string | undefined): readonly (4 | 6)[] {
  return hostAddress === undefined ? [4, 6] : [familyOf(hostAddress)];
}

/** The one address at which the port is published, or undefined where that is each (of one family, or of both). */
export function boundAddress(hostAddress: string | undefined): string | undefined {
  return hostAddress === ANY[4] || hostAddress === ANY[6] ? undefined : hostAddress;
}

/** Whether two host addresses have an address in common, so that one port cannot be published at both. */
export function addressesMeet(a: string | undefined, b: string | undefined): boolean {
  if (!familiesOf(a).some((family) => familiesOf(b).includes(family))) return false;
  const [one, other] = [boundAddress(a), boundAddress(b)];
  return one === undefined || other === undefined || one === other;
}

type Run = { readonly first: PublishedPort; readonly length: number };

/** As a document writes them, `[ADDRESS:]PORT:PORT/PROTOCOL`; neighbours become ranges: `8000-8010:80-90/tcp`. */
export function formatPublished(ports: readonly PublishedPort[]): readonly string[] {
  const runs: Run[] = [];
  for (const port of ports) {
    const last = runs.at(-1);
    if (last !== undefined && continues(last, port)) runs[runs.length - 1] = { ...last, length: last.length + 1 };
    else runs.push({ first: port, length: 1 });
  }
  return runs.map((run) => formatRun(run));
}

function continues({ first, length }: Run, port: PublishedPort): boolean {
  const same = first.protocol === port.protocol && first.hostAddress === port.hostAddress;
  return same && first.hostPort + length === port.hostPort && first.port + length === port.port;
}

function formatRun({ first, length }: Run): string {
  const { hostAddress, protocol } = first;
  const address = hostAddress?.includes(':') ? `[${hostAddress}]` : hostAddress;
  const range = (port: number): string => (length === 1 ? String(port) : `${port}-${port + length - 1}`);
  return `${address === undefined ? '' : `${address}:`}${range(first.hostPort)}:${range(first.port)}/${protocol}`;
}
