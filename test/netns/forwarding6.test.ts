import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { sendFrames } from '../../src/host/packet-socket.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { type CellLab, cellLab, PLANT, PLC } from './support/cell-lab.ts';
import { apply } from './support/documents.ts';
import { mac, routerAdvertisement } from './support/frames.ts';

const WIDE = fileURLToPath(new URL('support/wide.child.ts', import.meta.url));
const WAN = { gateway: 'fd00:99::1', router: 'fd00:99::2' } as const;

let cell: CellLab;
let host: Namespace;
let plc: Namespace;

/** The plant and the host on the other side take the gateway for their router. */
beforeEach(async () => {
  cell = await cellLab();
  ({ gateway: host, plc } = cell.site);
  await host.ip('address', 'add', `${WAN.gateway}/64`, 'dev', 'wan0', 'nodad');
  await plc.ip('route', 'add', 'default', 'via', PLANT[6]);
  await cell.wan.batch([`address add ${WAN.router}/64 dev wan0 nodad`, `route add fd00:20::/64 via ${WAN.gateway}`]);
});
afterEach(() => cell.lab.close());

const read = async (...names: readonly string[]): Promise<string> => {
  const { stdout } = await host.exec('cat', ...names.map((name) => `/proc/sys/net/ipv6/conf/${name}`));
  return stdout.trim().split('\n').join(' ');
};
const widely = (on: 'on' | 'off'): Promise<unknown> => host.exec(process.execPath, WIDE, on);

/** The router on the other side says that it is one, and which prefix to take an address from. */
async function advertise(prefix: string): Promise<void> {
  const [link] = await cell.wan.ipJson<{ address: string; addr_info: { local: string; scope: string }[] }[]>(
    'address',
    'show',
    'wan0',
  );
  const own = link?.addr_info.find(({ scope }) => scope === 'link')?.local ?? '';
  sendFrames(cell.wan.path, 'wan0', [routerAdvertisement(mac(link?.address ?? ''), own, prefix)]);
}

/** An address out of the prefix, and a default route, from an advertisement that comes now. */
async function learns(prefix: string): Promise<void> {
  await until(`an address of ${prefix}`, async () => {
    await advertise(prefix);
    const { stdout } = await host.ip('-6', 'address', 'show', 'dev', 'wan0');
    return stdout.includes(prefix.replace(/::$/, ':'));
  });
  expect((await host.ip('-6', 'route', 'show', 'default')).stdout).toContain('proto ra');
}

test('the gateway becomes nobody’s router, and whoever makes it one later has it so', async () => {
  expect(await plc.reaches(WAN.router)).toBe(false);
  await apply(cell.gateway, 1, cell.cells([]));
  expect(await cell.workloads[0].reaches(WAN.router, 2)).toBe(true);
  expect(await plc.reaches(WAN.router)).toBe(false);
  expect(await cell.wan.reaches(PLC[6])).toBe(false);
  expect(await read('all/forwarding', 'default/forwarding')).toBe('0 0');
  await cell.sysctl('ipv6/conf/all/forwarding', 1);
  await host.ip('link', 'set', 'lan0', 'txqueuelen', '997');
  await until('the guard to be gone', () => plc.reaches(WAN.router));
  await apply(cell.gateway, 2, {});
  expect(await plc.reaches(WAN.router)).toBe(true);
});

test('a gateway that has its address from a router’s advertisements keeps it and learns on', async () => {
  await learns('fd00:a::');
  await apply(cell.gateway, 1, cell.cells([]));
  expect((await host.ip('-6', 'route', 'show', 'default')).stdout).toContain('proto ra');
  expect(await cell.workloads[0].reaches(WAN.router, 2)).toBe(true);
  await learns('fd00:b::');
  await apply(cell.gateway, 2, {});
  await learns('fd00:c::');
});

test('where the kernel can only forward for all interfaces, each stays the host that it was', async () => {
  const settings = ['all/forwarding', 'default/forwarding', 'wan0/forwarding', 'lan0/forwarding', 'wan0/accept_ra'];
  await cell.sysctl('ipv6/conf/lan0/forwarding', 1);
  await learns('fd00:a::');
  expect(await read(...settings)).toBe('0 0 0 1 1');
  await widely('on');
  expect(await read(...settings)).toBe('1 0 0 1 1');
  expect((await host.ip('-6', 'route', 'show', 'default')).stdout).toContain('proto ra');
  await learns('fd00:b::');
  // The first packet may wait for three neighbours to be asked for, each a second when a solicitation is lost.
  await until('the way through', () => plc.reaches(WAN.router));
  await widely('off');
  expect(await read(...settings)).toBe('0 0 0 1 1');
  expect(await plc.reaches(WAN.router)).toBe(false);
  await learns('fd00:c::');
});
