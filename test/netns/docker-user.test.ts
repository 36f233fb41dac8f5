import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { AT, type CellLab, cellLab, PLANT, PLC } from './support/cell-lab.ts';
import { apply } from './support/documents.ts';
import { ask, serve } from './support/services.ts';

const OURS = / -m comment --comment linkspan -j ACCEPT$/;
const CONTAINER = '172.17.0.2';

let cell: CellLab;
let host: Namespace;
let plc: Namespace;
let w1: Namespace;

beforeEach(async () => {
  cell = await cellLab();
  [w1] = cell.workloads;
  ({ gateway: host, plc } = cell.site);
  await cell.sysctl('ipv4/ip_forward', 1);
  await cell.sysctl('ipv6/conf/all/forwarding', 1);
  const container = await cell.site.workload('c');
  await cell.lab.veth(host, 'port', container, 'eth0');
  await cell.lab.bridge(host, 'docker0', ['port']);
  await host.ip('address', 'add', '172.17.0.1/16', 'dev', 'docker0');
  await container.batch([`address add ${CONTAINER}/16 dev eth0`, 'route add default via 172.17.0.1']);
  await makeChains();
});
afterEach(() => cell.lab.close());

/** The filter's rules as dockerd 20.10 makes them, of which those for IPv6 only where it is told to. */
async function makeChains(): Promise<void> {
  for (const command of ['iptables', 'ip6tables']) {
    const rules = [
      '-P FORWARD DROP',
      '-N DOCKER',
      '-N DOCKER-USER',
      '-A DOCKER-USER -j RETURN',
      '-A FORWARD -j DOCKER-USER',
      '-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A FORWARD -o docker0 -j DOCKER',
      '-A FORWARD -i docker0 ! -o docker0 -j ACCEPT',
      '-A FORWARD -i docker0 -o docker0 -j ACCEPT',
    ];
    for (const rule of rules) await host.exec(command, ...rule.split(' '));
  }
}

async function dropChains(): Promise<void> {
  for (const command of ['iptables', 'ip6tables']) {
    for (const rule of ['-F', '-X', '-P FORWARD ACCEPT']) await host.exec(command, ...rule.split(' '));
  }
}

async function ourRules(command = 'iptables'): Promise<readonly string[]> {
  const { stdout } = await host.exec(command, '-S');
  return stdout.split('\n').filter((line) => OURS.test(line));
}

test('beside Docker all that our rules let pass does pass, and Docker’s own networks stay its own', async () => {
  await serve(cell.lab, w1, 'w1', 80);
  await apply(cell.gateway, 1, cell.cells(['8080:80']));
  expect(await w1.reaches(AT.w2.address, 2)).toBe(true);
  expect(await w1.reaches(AT.w2.address6, 2)).toBe(true);
  expect(await w1.reaches(PLC[4], 2)).toBe(true);
  expect(await w1.reaches(PLC[6], 2)).toBe(true);
  expect(await ask(plc, 'tcp', PLANT[4], 8080)).toBe(`w1 sees ${PLC[4]}`);
  expect(await ask(plc, 'tcp', PLANT[6], 8080)).toBe(`w1 sees ${PLC[6]}`);
  expect(await host.reaches(CONTAINER, 2)).toBe(true);
  expect(await w1.reaches(CONTAINER)).toBe(false);
  expect(await w1.reaches(AT.w3.address)).toBe(false);
});

test('a user’s own refusals come before, and all is repaired when dockerd makes its chains anew', async () => {
  await host.exec('iptables', '-I', 'DOCKER-USER', '-d', PLC[4], '-j', 'DROP');
  await apply(cell.gateway, 1, cell.cells([]));
  expect(await w1.reaches(PLC[4])).toBe(false);
  await host.exec('iptables', '-D', 'DOCKER-USER', '-d', PLC[4], '-j', 'DROP');
  expect(await w1.reaches(PLC[4], 2)).toBe(true);
  const before = await ourRules();
  expect(before).toContain('-A DOCKER-USER -i lsb-+ -o lan0 -m comment --comment linkspan -j ACCEPT');
  expect(before.some((rule) => rule.includes('docker0'))).toBe(false);
  await dropChains();
  expect(await ourRules()).toEqual([]);
  await makeChains();
  await host.ip('link', 'set', 'lan0', 'txqueuelen', '997');
  await until('our rules', async () => (await ourRules()).join() === before.join());
  // Of IPv6, wan0 has no address here.
  const six = before.filter((rule) => !rule.includes('wan0'));
  await until('our rules of IPv6', async () => (await ourRules('ip6tables')).join() === six.join());
  expect(await w1.reaches(PLC[4], 2)).toBe(true);
});

test.each(['the last network goes', 'everything is cleaned up'])(
  'when %s, Docker’s chains are as they were',
  async (how) => {
    const all = async (): Promise<string> =>
      `${(await host.exec('iptables', '-S')).stdout}${(await host.exec('ip6tables', '-S')).stdout}`;
    const before = await all();
    await apply(cell.gateway, 1, cell.cells(['8080:80']));
    expect(await all()).not.toBe(before);
    if (how === 'the last network goes') await apply(cell.gateway, 2, {});
    else {
      await cell.gateway.stop();
      await host.exec(process.execPath, builtService(), '--config', `${cell.gateway.dir}/linkspand.json`, '--cleanup');
    }
    expect(await all()).toBe(before);
    expect((await host.exec('nft', 'list', 'tables')).stdout).not.toContain('linkspan');
  },
);
