import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DhcpPlace } from '../../src/host/dhcp-hold.ts';
import type { DhcpRequest } from '../../src/host/dhcp-request.ts';
import { dhcpIdentity } from '../../src/ipam/dhcp-identity.ts';
import type { LeaseState } from '../../src/ipam/dhcp-state.ts';
import type { DhcpLease } from '../../src/model/dhcp.ts';
import { formatIpPrefix } from '../../src/model/ip.ts';
import { deriveMac } from '../../src/model/derived-mac.ts';
import { Dnsmasq } from '../lab/dnsmasq.ts';
import { run } from '../lab/exec.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { startUdhcpd } from '../lab/udhcpd.ts';
import { until } from '../lab/wait.ts';
import { Capture } from './support/capture.ts';
import { DhcpService } from './support/dhcp-service.ts';
import { gatewayName } from './support/names.ts';

const SERVER = '10.77.0.1';
const RANGE = 'dhcp-range=10.77.0.100,10.77.0.200,255.255.255.0';
const KEY = 'w1/plant';

let lab: Lab;
let gateway: Namespace;
/** the plant: a switch `br0` that has the server's address, and a PLC beside it */
let plant: Namespace;
let plc: Namespace;
let w1: Namespace;
let state: string;
let service: DhcpService;

beforeEach(async () => {
  lab = new Lab();
  [gateway, plant, plc, w1] = [
    await lab.namespace('dh-gw'),
    await lab.namespace('dh-sw'),
    await lab.namespace('dh-plc'),
    await lab.namespace('dh-w1'),
  ];
  await lab.veth(gateway, 'lan0', plant, 'gw');
  await lab.veth(plant, 'plc', plc, 'eth0');
  await lab.bridge(plant, 'br0', ['gw', 'plc']);
  await plant.ip('address', 'add', `${SERVER}/24`, 'dev', 'br0');
  await plc.ip('address', 'add', '10.77.0.10/24', 'dev', 'eth0');
  state = join(await lab.folder(), 'state.db');
  service = new DhcpService(lab, gateway, state);
});
afterEach(() => lab.close());

function identity(workload: string): DhcpRequest['identity'] {
  return dhcpIdentity({ gateway: gatewayName('a'), workload, network: 'plant' });
}

function requestOf(workload: string): DhcpRequest {
  const mac = deriveMac('plant', workload);
  return { parent: 'lan0', mode: 'bridge', mac, identity: identity(workload) };
}

function placeOf(workload: string, sandbox: Namespace, name = 'eth0'): DhcpPlace {
  return { namespace: sandbox.path, interface: name, identity: identity(workload) };
}

/** What an attach does with the address. */
async function attach(sandbox: Namespace, workload: string, lease: DhcpLease, name = 'eth0'): Promise<void> {
  await place(sandbox, workload, lease, name);
  await sandbox.batch([`link set dev ${name} up`]);
}

async function place(sandbox: Namespace, workload: string, lease: DhcpLease, name = 'eth0'): Promise<void> {
  const mac = deriveMac('plant', workload);
  const made = `link add link lan0 name ${name} netns ${sandbox.path} address ${mac} type macvlan mode bridge`;
  await gateway.batch([made]);
  await sandbox.batch([`address add ${formatIpPrefix(lease.address)} dev ${name}`]);
}

/** Has a lease, an interface with it in w1, and a client there that has seen the server once more. */
async function attached(): Promise<DhcpLease> {
  const lease = await service.acquire(KEY, requestOf('w1'));
  await attach(w1, 'w1', lease);
  await service.hold(KEY, placeOf('w1', w1));
  await until('the client in the sandbox to be bound', async () => (await grantedAt()) > lease.obtainedAt);
  return lease;
}

const acks = (server: Dnsmasq): number => server.log().split('DHCPACK').length - 1;

/** The DHCP clients that run inside, by process id; the hook's short life does not count. */
async function clientsIn(sandbox: Namespace): Promise<readonly string[]> {
  const { stdout } = await run(['ip', 'netns', 'pids', sandbox.name]);
  const pids = stdout.split('\n').filter((pid) => pid !== '');
  const names = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')));
  return pids.filter((_, index) => names[index] === 'busybox\n');
}

describe('with a DHCP server in the plant', () => {
  let server: Dnsmasq;

  beforeEach(async () => {
    const options = ['dhcp-option=option:domain-name,plant.example', 'dhcp-option=option:mtu,1400'];
    server = await Dnsmasq.start(lab, plant, 'br0', [`${RANGE},120`, ...options]);
  });

  test('a lease before the workload runs, under its own MAC, client identifier and name', async () => {
    const links = await gateway.ip('-br', 'link');
    const lease = await service.acquire(KEY, requestOf('w1'));
    expect(lease).toMatchObject({
      address: { family: 4, length: 24, address: expect.stringMatching(/^10\.77\.0\.[12]\d\d$/) },
      router: SERVER,
      dns: [],
      domain: 'plant.example',
      mtu: 1400,
      server: SERVER,
      lease_s: 120,
      ignored: [],
    });
    expect(await server.leases()).toEqual([
      {
        mac: deriveMac('plant', 'w1'),
        address: lease.address.address,
        hostname: 'w1',
        clientId: identity('w1').clientId.match(/../g)?.join(':'),
      },
    ]);
    // Nothing of it has stayed, here or in the sandbox to come.
    expect((await gateway.ip('-br', 'link')).stdout).toBe(links.stdout);
    expect(await clientsIn(w1)).toEqual([]);
  });

  test('renewed from inside the sandbox, under another interface name; the address works all along', async () => {
    const lease = await service.acquire(KEY, requestOf('w1'));
    await attach(w1, 'w1', lease, 'plant7');
    await service.hold(KEY, placeOf('w1', w1, 'plant7'));
    await service.hold(KEY, placeOf('w1', w1, 'plant7'));
    await until('the client in the sandbox to be bound', async () => (await grantedAt()) > lease.obtainedAt);
    expect(await clientsIn(w1)).toHaveLength(1);
    expect(await plc.reaches(lease.address.address)).toBe(true);
    expect(await server.leases()).toMatchObject([{ address: lease.address.address, mac: deriveMac('plant', 'w1') }]);
    const held = (await service.leases())[KEY];
    expect(held).toMatchObject({ phase: 'valid', lease: { address: lease.address } });
    expect(held?.lease?.obtainedAt).toBeGreaterThan(lease.obtainedAt);
    // The same lease once more is no change.
    expect(service.told).toHaveLength(1);
    // It set nothing itself.
    const { stdout } = await w1.ip('-4', '-o', 'address', 'show', 'dev', 'plant7');
    expect(stdout.trim().split('\n')).toHaveLength(1);
  });

  test('the client has of root’s powers packet sockets and its port, and none of the service’s environment', async () => {
    await attached();
    const [pid = ''] = await clientsIn(w1);
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const powers = [...status.matchAll(/^Cap(?:Prm|Eff|Bnd):\t0*(\w+)$/gm)].map((match) => match[1]);
    // CAP_NET_BIND_SERVICE is bit 10, CAP_NET_RAW bit 13.
    expect(powers).toEqual(['2400', '2400', '2400']);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    const environment = (await readFile(`/proc/${pid}/environ`, 'utf8'))
      .split('\0')
      .map((entry) => entry.split('=')[0]);
    expect(environment.filter((name) => name !== '')).toEqual(['PATH', 'LC_ALL']);
  });

  test('given back: the server hears it from inside, and the client is gone', async () => {
    const lease = await attached();
    await service.release(KEY);
    await until('the server to be told', () => server.log().includes(`DHCPRELEASE(br0) ${lease.address.address}`));
    expect(await server.leases()).toEqual([]);
    expect(await clientsIn(w1)).toEqual([]);
    expect(await service.leases()).toEqual({});
    await service.release(KEY);
  });

  test('a sandbox that vanishes: its lease is given back, its MAC is free again', async () => {
    const lease = await attached();
    await run(['ip', 'netns', 'delete', w1.name]);
    await until('the server to be told', () => server.log().includes(`DHCPRELEASE(br0) ${lease.address.address}`));
    await run(['ip', 'netns', 'add', w1.name]);
    await until('the last word on it', () => service.told.at(-1)?.state === null);
    await place(w1, 'w1', lease);
    // A MAC is taken when its interface comes up (macvlan_open); the kernel takes a namespace down in its own time.
    await until('the same MAC to be taken again', () => w1.batch(['link set dev eth0 up']).then(() => true));
  });

  test('after kill -9 no client is left; the next service takes the lease up again', async () => {
    const lease = await attached();
    const [before] = await clientsIn(w1);
    await service.kill9();
    await until('the client to end with it', async () => (await clientsIn(w1)).length === 0, 2000);
    expect(await plc.reaches(lease.address.address)).toBe(true);

    service = new DhcpService(lab, gateway, state);
    expect((await service.leases())[KEY]).toMatchObject({ phase: 'valid', lease: { address: lease.address } });
    await service.hold(KEY, placeOf('w1', w1));
    await until('the server to see it again', () => acks(server) === 3);
    const after = await clientsIn(w1);
    expect(after).toHaveLength(1);
    expect(after).not.toEqual([before]);
    // Both clients inside asked for the address that stands on the interface.
    expect(server.log().split(`DHCPDISCOVER(br0) ${lease.address.address} `)).toHaveLength(3);
    expect(await server.leases()).toMatchObject([{ address: lease.address.address, hostname: 'w1' }]);
  });

  test('stopped in order, the lease goes on at the server', async () => {
    const lease = await attached();
    await service.close();
    expect(await clientsIn(w1)).toEqual([]);
    expect(server.log()).not.toContain('DHCPRELEASE');
    expect(await server.leases()).toMatchObject([{ address: lease.address.address }]);
  });

  test('a client that dies is replaced', async () => {
    await attached();
    const [pid = ''] = await clientsIn(w1);
    await w1.exec('kill', '-9', pid);
    await until('another one to be bound', () => acks(server) === 3);
    expect(await clientsIn(w1)).not.toContain(pid);
    await until('the trouble to be over', async () => {
      const held = (await service.leases())[KEY];
      return held?.phase === 'valid' && held.problem === undefined;
    });
  });

  test('another address at the next start is told', async () => {
    const lease = await attached();
    await service.close();
    await server.restart(['dhcp-range=10.77.0.20,10.77.0.30,255.255.255.0,120']);
    service = new DhcpService(lab, gateway, state);
    await service.hold(KEY, placeOf('w1', w1));
    const news = await until('the new address', () =>
      service.told.find(({ state: s }) => s?.lease?.address.address !== lease.address.address),
    );
    expect(news).toMatchObject({
      key: KEY,
      state: { phase: 'valid', lease: { address: { address: expect.stringMatching(/^10\.77\.0\.[23]\d$/) } } },
    });
  });

  test('an address that a machine of the plant has already is declined', async () => {
    await plc.ip('address', 'add', '10.77.0.50/24', 'dev', 'eth0');
    await server.restart(['dhcp-range=10.77.0.50,10.77.0.51,255.255.255.0,120']);
    const lease = await service.acquire(KEY, { ...requestOf('w1'), requested: '10.77.0.50' });
    expect(lease.address.address).toBe('10.77.0.51');
    expect(server.log()).toContain('DHCPDECLINE(br0) 10.77.0.50');
  });

  test.each([
    ['a router off the subnet', 'option:router,10.99.0.1', 'router "10.99.0.1"'],
    ['a domain for a shell', 'option:domain-name,$(reboot).x', 'domain "bad"'],
    ['an MTU of 10', 'option:mtu,10', 'MTU "10"'],
  ])('a rogue server’s %s is left out, the lease holds', async (_, option, ignored) => {
    await server.restart([`${RANGE},120`, `dhcp-option-force=${option}`]);
    const lease = await service.acquire(KEY, requestOf('w1'));
    expect(lease).toMatchObject({ lease_s: 120, ignored: [ignored] });
  });

  test.each([
    ['mask', 'option:netmask,240.0.0.0', /^DHCP on lan0: address "10\.77\.0\.\d+\/240\.0\.0\.0" makes no sense; /],
    ['mask', 'option:netmask,255.0.255.0', /address ".*255\.0\.255\.0" makes no sense; /],
  ])('a rogue server’s %s (%s) is an error that names it', async (_, option, message) => {
    await server.restart([`${RANGE},120`, `dhcp-option-force=${option}`]);
    const attempt = service.acquire(KEY, requestOf('w1'));
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toMatchObject({ code: 'dhcp_unusable' });
    expect(await service.leases()).toEqual({});
  });

  test('an uplink that does not exist is an error, and nothing is left', async () => {
    const attempt = service.acquire(KEY, { ...requestOf('w1'), parent: 'lan9' });
    await expect(attempt).rejects.toMatchObject({ code: 'command_failed', message: expect.stringContaining('lan9') });
    await expect(service.acquire(KEY, requestOf('w1'))).resolves.toMatchObject({ server: SERVER });
  });

  test('fifty at once', async () => {
    const workloads = Array.from({ length: 50 }, (_, index) => `m${index}`);
    const started = performance.now();
    const leases = await Promise.all(workloads.map((name) => service.acquire(`${name}/plant`, requestOf(name))));
    const took = performance.now() - started;
    expect(new Set(leases.map((lease) => lease.address.address)).size).toBe(50);
    await Promise.all(leases.map((lease, index) => attach(w1, `m${index}`, lease, `e${index}`)));
    await Promise.all(workloads.map((name, index) => service.hold(`${name}/plant`, placeOf(name, w1, `e${index}`))));
    await until('all to be bound inside', () => acks(server) >= 100, 60_000);
    const clients = await clientsIn(w1);
    expect(clients).toHaveLength(50);
    const memory = await Promise.all(clients.map((pid) => readFile(`/proc/${pid}/smaps_rollup`, 'utf8')));
    const pss = memory.map((text) => Number(/^Pss:\s+(\d+)/m.exec(text)?.[1])).reduce((a, b) => a + b, 0);
    process.stdout.write(`50 leases in ${Math.round(took)} ms; ${Math.round(pss / 50)} kB (PSS) for each held\n`);
    expect(pss / 50).toBeLessThan(400);
    await Promise.all(workloads.map((name) => service.release(`${name}/plant`)));
    expect(await clientsIn(w1)).toEqual([]);
    await until('the server to have all back', async () => (await server.leases()).length === 0);
  }, 180_000);
});

test('no server: an error in time that says where to look; the kernel spoke on nothing meanwhile', async () => {
  await gateway.ip('address', 'add', '10.77.0.9/24', 'dev', 'lan0');
  const capture = await Capture.start(lab, plc, 'eth0', 'ether', 'src', deriveMac('plant', 'w1'));
  const started = performance.now();
  const attempt = service.acquire(KEY, requestOf('w1')).catch((error: unknown) => error);
  await sleep(1000);
  await plc.attempt('arping', '-c', '3', '-w', '3', '-I', 'eth0', '10.77.0.9');
  const error = await attempt;
  const took = performance.now() - started;
  expect(error).toMatchObject({
    code: 'dhcp_no_answer',
    message: expect.stringMatching(
      /^DHCP on lan0: no DHCP server gave \S+ an address within 5 s; check that a DHCP server/,
    ),
  });
  // Five seconds after the client's first word; never ten after its start.
  expect([took > 4900, took < 11_000]).toEqual([true, true]);
  const sent = (await capture.stop()).split('\n').filter((line) => line.includes('ethertype'));
  expect(sent.length).toBeGreaterThan(2);
  expect(sent.filter((line) => !line.includes('BOOTP/DHCP, Request'))).toEqual([]);
  // The MAC is free for the next attempt.
  await attach(w1, 'w1', { address: { family: 4, address: '10.77.0.99', length: 24 } } as DhcpLease);
});

test('a request that is given up ends at once and leaves nothing', async () => {
  const started = performance.now();
  await expect(service.acquire(KEY, requestOf('w1'), 1000)).rejects.toThrow(/aborted/);
  expect(performance.now() - started).toBeLessThan(4500);
  await attach(w1, 'w1', { address: { family: 4, address: '10.77.0.99', length: 24 } } as DhcpLease);
});

async function own(): Promise<LeaseState | undefined> {
  return (await service.leases())[KEY];
}

/** When the lease that is held was granted, in milliseconds; 0 where there is none. */
async function grantedAt(): Promise<number> {
  return (await own())?.lease?.obtainedAt ?? 0;
}

describe('a lease of half a minute', () => {
  const SHORT = { interface: 'br0', first: '10.77.0.100', last: '10.77.0.109', lease_s: 30 };
  const OTHER = { ...SHORT, first: '10.77.0.60', last: '10.77.0.69' };

  test('is renewed by unicast; with the server gone it is kept, then reported, then had anew', async () => {
    const first = await startUdhcpd(lab, plant, SHORT);
    const lease = await service.acquire(KEY, requestOf('w1'));
    const { address } = lease.address;
    await attach(w1, 'w1', lease);
    await service.hold(KEY, placeOf('w1', w1));
    const bound = await until(
      'the client to be bound',
      async () => (await grantedAt()) > lease.obtainedAt && grantedAt(),
    );
    const capture = await Capture.start(lab, plant, 'br0', 'src', address, 'and', 'dst', SERVER, 'and', 'port', '67');
    const renewed = await until('the renewal', async () => (await grantedAt()) > bound && grantedAt(), 20_000);
    expect((renewed - bound) / 1000).toBeCloseTo(15, -1);
    expect(await capture.stop()).toContain('BOOTP/DHCP, Request');
    await first.stop();
    expect(service.told).toHaveLength(1);

    const told = (phase: string, problem = ''): LeaseState | undefined =>
      service.told
        .map(({ state: each }) => each)
        .find((each) => each?.phase === phase && (each.problem ?? '').includes(problem)) ?? undefined;
    await until('the warning before the end', () => told('late', 'runs out soon and was not renewed'), 30_000);
    expect(told('ended')).toBeUndefined();
    expect(await plc.reaches(address)).toBe(true);
    await until(
      'the end',
      () => told('ended', `the lease of ${address}/24 from DHCP server ${SERVER} has ended`),
      10_000,
    );
    await until('the vain search', () => told('ended', 'no DHCP server answers on eth0'), 15_000);
    // Taking it off the interface is the listener's business.
    expect(await plc.reaches(address)).toBe(true);

    await startUdhcpd(lab, plant, OTHER);
    const again = await until(
      'a lease of the new server',
      () => service.told.at(-1)?.state?.phase === 'valid' && service.told.at(-1),
      30_000,
    );
    expect(again.state).toMatchObject({
      phase: 'valid',
      lease: { address: { address: expect.stringMatching(/^10\.77\.0\.6\d$/) } },
    });
    expect(again.state?.problem).toBeUndefined();
  }, 150_000);

  test('that the server refuses to renew has ended at once', async () => {
    const first = await startUdhcpd(lab, plant, SHORT);
    const lease = await service.acquire(KEY, requestOf('w1'));
    await attach(w1, 'w1', lease);
    await service.hold(KEY, placeOf('w1', w1));
    await until('the client to be bound', async () => (await grantedAt()) > lease.obtainedAt);
    await first.stop();
    await Dnsmasq.start(lab, plant, 'br0', ['dhcp-range=10.77.0.60,10.77.0.69,255.255.255.0,120']);
    const phases = (): string => service.told.map(({ state: told }) => told?.phase).join(' ');
    await until('the refusal and another lease', () => /valid( ended)+ valid/.test(phases()), 40_000);
    expect(service.told.some(({ state: told }) => told?.problem?.includes('the DHCP server refused'))).toBe(true);
    expect((await own())?.lease?.address.address).toMatch(/^10\.77\.0\.6\d$/);
  });
});
