import { join } from 'node:path';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import type { LabProcess } from './process.ts';
import { until } from './wait.ts';

/** A DHCP server that gives leases of seconds, which dnsmasq does not (two minutes at least); it forgets at each start. */
export async function startUdhcpd(
  lab: Lab,
  namespace: Namespace,
  options: { readonly interface: string; readonly first: string; readonly last: string; readonly lease_s: number },
): Promise<LabProcess> {
  const folder = await lab.folder();
  const file = join(folder, 'udhcpd.conf');
  const lines = [
    `start ${options.first}`,
    `end ${options.last}`,
    `interface ${options.interface}`,
    `pidfile ${join(folder, 'pid')}`,
    `lease_file ${join(folder, 'leases')}`,
    'min_lease 10',
    'option subnet 255.255.255.0',
    `option lease ${options.lease_s}`,
  ];
  await lab.write(file, [...lines, ''].join('\n'));
  const server = await lab.process(namespace, ['busybox', 'udhcpd', '-f', file]);
  await until('udhcpd to serve', () => !server.running || server.log().includes('started'));
  if (!server.running) throw new Error(`udhcpd ended: ${server.log()}`);
  return server;
}
