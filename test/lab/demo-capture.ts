import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './exec.ts';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import { until } from './wait.ts';

/** A VXLAN packet as tshark decodes it: the outer addresses, and what it carries. */
export type Decoded = {
  readonly vni: number;
  readonly outer: string;
  readonly protocol: string;
  /** `source target` of the inner IPv4 header or the ARP message */
  readonly inner: string;
};

const FIELDS = ['vxlan.vni', 'ip.src', 'ip.dst', 'arp.src.proto_ipv4', 'arp.dst.proto_ipv4', '_ws.col.Protocol'];
/** The kernel hands captured packets over in blocks, the last of which needs a moment. */
const FLUSH_MS = 700;

/** Starts tshark on an interface's VXLAN port; the result stops it and decodes what it saw. */
export async function capture(lab: Lab, namespace: Namespace, device: string): Promise<() => Promise<Decoded[]>> {
  const file = join(await lab.folder(), 'underlay.pcapng');
  const argv = ['tshark', '-i', device, '-f', 'udp port 4789', '-w', file];
  const process = await lab.process(namespace, argv);
  // Only the file's name says that the capture really runs; "Capturing on" comes too early.
  await until('tshark to capture', () => !process.running || process.log().includes('File: '), 15_000);
  if (!process.running) throw new Error(`tshark ended: ${process.log()}`);
  return async () => {
    await sleep(FLUSH_MS);
    process.signal('SIGINT');
    await process.exited;
    return decode(file);
  };
}

async function decode(file: string): Promise<Decoded[]> {
  const fields = FIELDS.flatMap((field) => ['-e', field]);
  const { stdout } = await run(['tshark', '-r', file, '-T', 'fields', '-E', 'separator=|', ...fields]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [vni = '', source = '', target = '', asker = '', asked = '', protocol = ''] = line.split('|');
      const [outerSource = '', innerSource = asker] = source.split(',');
      const [outerTarget = '', innerTarget = asked] = target.split(',');
      return {
        vni: Number(vni),
        outer: `${outerSource} ${outerTarget}`,
        protocol,
        inner: `${innerSource} ${innerTarget}`,
      };
    });
}
