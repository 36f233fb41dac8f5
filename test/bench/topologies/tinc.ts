import { mkdir, writeFile, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addChild } from '../../lab/datapath.ts';
import { run } from '../../lab/exec.ts';
import type { Lab } from '../../lab/lab.ts';
import type { LabProcess } from '../../lab/process.ts';
import { until } from '../../lab/wait.ts';
import type { End, Ends, Path } from './ends.ts';
import { OVERLAY_MTU, pathOf } from './ends.ts';

const SUBNET = '10.94.0';
const TAP = 'tinc0';
const ETHERNET_HEADER = 14;
const FOUND_MS = 60_000;

type Node = End & { readonly dir: string; readonly name: string };

/** tinc 1.0 as a switch, with no cipher, no digest and no compression. */
export async function tincPath(lab: Lab, ends: Ends): Promise<Path> {
  const nodes: Node[] = [];
  for (const end of ends) nodes.push(await configure(await lab.folder(), end));
  await exchangeHosts(nodes);
  const daemons: LabProcess[] = [];
  for (const node of nodes) daemons.push(await startTinc(lab, node));
  const path = pathOf(
    ends,
    SUBNET,
    daemons.map(({ pid }) => pid),
  );
  await until('tinc to carry packets', () => path.client.reaches(path.address), FOUND_MS);
  for (const daemon of daemons) await untilDatagrams(daemon);
  return path;
}

/** A daemon's configuration and keys. Without a terminal `-K` asks nothing and takes the usual file names. */
async function configure(dir: string, end: End): Promise<Node> {
  const name = `bench${end.index}`;
  const conf = [
    `Name = ${name}`,
    'Mode = switch',
    'AddressFamily = ipv4',
    'DeviceType = tap',
    `Interface = ${TAP}`,
    // One probe lost in a flood and tinc would begin anew to find the path's MTU, and send packets by TCP meanwhile.
    'PingInterval = 86400',
    ...(end.index === 2 ? ['ConnectTo = bench1'] : []),
  ];
  const host = [`Address = ${end.underlay}`, 'Cipher = none', 'Digest = none', 'Compression = 0'];
  await mkdir(join(dir, 'hosts'));
  await writeFile(join(dir, 'tinc.conf'), `${conf.join('\n')}\n`);
  await writeFile(join(dir, 'hosts', name), `${host.join('\n')}\n`);
  await run(['tincd', '-c', dir, '-K2048']);
  return { ...end, dir, name };
}

async function exchangeHosts(nodes: readonly Node[]): Promise<void> {
  for (const from of nodes) {
    for (const to of nodes) {
      if (from !== to) await copyFile(join(from.dir, 'hosts', from.name), join(to.dir, 'hosts', from.name));
    }
  }
}

async function startTinc(lab: Lab, { gateway, workload, dir, mac, index }: Node): Promise<LabProcess> {
  const daemon = await lab.process(gateway, ['tincd', '-c', dir, '-D', `--pidfile=${join(dir, 'tinc.pid')}`]);
  await until('tinc to make its interface', () => gateway.ip('link', 'show', TAP));
  await gateway.ip('link', 'set', TAP, 'mtu', String(OVERLAY_MTU), 'up');
  await addChild(gateway, TAP, workload, { mac, addresses: [`${SUBNET}.${index}/24`], mtu: OVERLAY_MTU });
  return daemon;
}

/** Until it knows that full packets pass as datagrams: before, it sends them by TCP. SIGUSR2 has it tell what it knows. */
async function untilDatagrams(daemon: LabProcess): Promise<void> {
  const needed = OVERLAY_MTU + ETHERNET_HEADER;
  const passes = (): boolean => {
    daemon.signal('SIGUSR2');
    return [...daemon.log().matchAll(/via bench\d pmtu \d+ \(min (\d+) max/g)].some(([, min]) => Number(min) >= needed);
  };
  await until('tinc to find the MTU of its path', passes, FOUND_MS);
}
