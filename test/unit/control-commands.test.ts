import { beforeEach, describe, expect, test } from '@jest/globals';
import { createCommands } from '../../src/control/socket/commands.ts';
import type { AttachRequest } from '../../src/control/request/attach-request.ts';
import type { Commands } from '../../src/control/socket/writes.ts';
import { formatIpPrefix } from '../../src/model/ip.ts';
import { deriveMac } from '../../src/model/derived-mac.ts';
import { type Endpoint, sandboxPath } from '../../src/model/network.ts';
import type { EndpointStatus } from '../../src/model/status.ts';
import { effective } from '../../src/reconcile/effective.ts';
import { bridge, document, macvlan, overlay, workload } from './support/documents.ts';
import { bytes, documentsOn, MemoryAttachments, memoryDocuments } from './support/gateway.ts';
import { mac } from './support/values.ts';

const NETWORKS = {
  line: overlay(5, { subnet: '10.9.0.0/24', subnet6: 'fd00:9::/64', gateway: '10.9.0.1' }),
  cell: bridge('172.30.0.0/24'),
  plant: macvlan({ subnet: '10.20.0.0/16' }),
};
const [MAC, OTHER_MAC] = [mac('02:00:00:00:00:0a'), mac('02:00:00:00:00:0b')];
const NAMED = { address: '10.9.0.5', mac: '02:00:00:00:00:05' };
const ask = (over: Partial<AttachRequest> = {}): AttachRequest => ({
  workload: 'w',
  network: 'line',
  sandbox: { kind: 'netns', name: 'w' },
  ...over,
});

let commands: Commands;
let attachments: MemoryAttachments;
let cycles: number;
/** sandboxes in which nothing comes to stand */
let broken: Set<string>;
let running: readonly EndpointStatus[];

function statusOf(endpoint: Endpoint): EndpointStatus {
  const { workload: w, network, interface: name, addresses } = endpoint;
  const sandbox = sandboxPath(endpoint.sandbox);
  const lost = broken.has(sandbox);
  const rest = { state: lost ? 'failed' : 'attached', problem: lost ? `workload ${w}: no way in` : null } as const;
  return {
    workload: w,
    network,
    interface: name,
    mac: endpoint.mac,
    addresses: addresses.map((a) => formatIpPrefix(a)),
    sandbox,
    published: [],
    ...rest,
  };
}

beforeEach(() => {
  const { documents } = documentsOn(memoryDocuments());
  documents.submit(
    bytes(document(NETWORKS, { named: workload({ line: NAMED }, 'n'), picks: workload({ line: {} }, 'p') })),
    'cli',
  );
  attachments = new MemoryAttachments();
  cycles = 0;
  broken = new Set();
  const settled = async (): Promise<void> => {
    cycles += 1;
    running = effective(documents.desired, attachments.list(), [], new Map(), 'gw-a').desired.endpoints.map(statusOf);
  };
  void settled();
  cycles = 0;
  const devices = { clear: (vni: number, cleared: string) => vni === 5 && cleared === MAC };
  commands = createCommands({ documents, attachments, devices, settled, endpoints: () => running });
});

describe('attach', () => {
  test('puts a workload on a network, with a stable MAC and the first free interface', async () => {
    expect(await commands.attach(ask({ address: '10.9.0.9' }))).toMatchObject({
      ok: true,
      endpoint: { interface: 'eth0', mac: deriveMac('line', 'w'), addresses: ['10.9.0.9/24'], state: 'attached' },
    });
    expect(await commands.attach(ask({ network: 'cell' }))).toMatchObject({
      ok: true,
      endpoint: { interface: 'eth1' },
    });
    expect(await commands.attach(ask())).toMatchObject({ ok: true, endpoint: { interface: 'eth0' } });
    expect([attachments.list().length, cycles]).toEqual([2, 3]);
  });

  test('takes an address with its length, and of either family', async () => {
    expect(await commands.attach(ask({ address: '10.9.0.9/24' }))).toMatchObject({
      endpoint: { addresses: ['10.9.0.9/24'] },
    });
    expect(await commands.attach(ask({ address: 'FD00:9:0::9' }))).toMatchObject({
      endpoint: { addresses: ['fd00:9::9/64'] },
    });
  });

  test('in a namespace that two workloads share gives each an interface of its own', async () => {
    const sandbox = { kind: 'netns', name: 'n' } as const;
    expect(await commands.attach(ask({ sandbox }))).toMatchObject({ ok: true, endpoint: { interface: 'eth1' } });
  });

  test.each<[string, Partial<AttachRequest>, string, string]>([
    ['no such network', { network: 'l'.repeat(63) }, 'missing_network', 'linkspan network ls'],
    [
      'a network with a JavaScript name',
      { network: 'constructor' },
      'missing_network',
      'there is no network constructor',
    ],
    ['an address elsewhere', { address: '10.10.0.9' }, 'address_outside_subnet', '10.10.0.9'],
    ['no address at all', { address: '10.9.0.9"\n; reboot' }, 'address_outside_subnet', 'choose'],
    ['an endless address', { address: '1'.repeat(255) }, 'address_outside_subnet', 'choose'],
    ['the network’s own address', { address: '10.9.0.0' }, 'address_outside_subnet', '10.9.0.0'],
    ['the broadcast address', { address: '10.9.0.255' }, 'address_outside_subnet', '10.9.0.255'],
    ['the router’s address', { address: '10.9.0.1' }, 'duplicate_address', 'the router'],
    ['another’s address', { address: '10.9.0.5' }, 'duplicate_address', "named's on line"],
    ['another’s MAC', { mac: mac('02:00:00:00:00:05') }, 'duplicate_mac', "named's on line"],
    [
      'an interface that another has',
      { sandbox: { kind: 'netns', name: 'n' }, interface: 'eth0' },
      'duplicate_interface',
      "named's on line",
    ],
    ['an address that only the plant knows', { network: 'plant' }, 'address_required', '--address'],
    ['what the document has already', { workload: 'named' }, 'duplicate_interface', 'change it there'],
  ])('refuses %s, with the remedy, and changes nothing', async (_, over, code, message) => {
    const outcome = await commands.attach(ask(over));
    expect(outcome).toMatchObject({ ok: false, problem: { code, message: expect.stringContaining(message) } });
    expect([attachments.list(), cycles]).toEqual([[], 0]);
  });

  test('refuses an address that was picked for another', async () => {
    const address = running.find(({ workload: w }) => w === 'picks')?.addresses[0]?.split('/')[0] ?? '';
    expect(await commands.attach(ask({ address }))).toMatchObject({
      ok: false,
      problem: { code: 'duplicate_address' },
    });
  });

  test('that fails says why and leaves no wish behind', async () => {
    broken.add('/run/netns/w');
    const outcome = await commands.attach(ask());
    expect(outcome).toMatchObject({ ok: false, reason: 'failed', problem: { message: 'workload w: no way in' } });
    expect([attachments.list(), cycles]).toEqual([[], 2]);
  });

  test('that fails leaves an earlier one as it was', async () => {
    await commands.attach(ask({ address: '10.9.0.9' }));
    const before = attachments.list();
    broken.add('/run/netns/elsewhere');
    expect(await commands.attach(ask({ sandbox: { kind: 'netns', name: 'elsewhere' } }))).toMatchObject({ ok: false });
    expect(attachments.list()).toEqual(before);
    expect(running.find(({ workload: w }) => w === 'w')).toMatchObject({
      state: 'attached',
      addresses: ['10.9.0.9/24'],
    });
  });
});

describe('detach', () => {
  test('takes a workload off one network, or off all', async () => {
    for (const network of ['line', 'cell']) await commands.attach(ask({ network }));
    await commands.attach(ask({ workload: 'x', sandbox: { kind: 'netns', name: 'x' } }));
    expect(await commands.detach('w', 'line')).toEqual({ ok: true, removed: 1 });
    await commands.attach(ask());
    expect(await commands.detach('w', undefined)).toEqual({ ok: true, removed: 2 });
    expect(attachments.list().map(({ workload: w }) => w)).toEqual(['x']);
  });

  test.each([
    ['what the document has', 'named', 'refused', 'take it out there'],
    ['what is not attached', 'nobody', 'not_found', 'linkspan endpoint ls'],
    ['a name that JavaScript knows', '__proto__', 'not_found', 'linkspan endpoint ls'],
  ])('refuses %s', async (_, name, reason, message) => {
    const outcome = await commands.detach(name, undefined);
    expect(outcome).toMatchObject({ ok: false, reason, problem: { message: expect.stringContaining(message) } });
    expect(cycles).toBe(0);
  });
});

test('apply and validate are the documents’ own', () => {
  const next = bytes(document({}, {}, 2));
  expect(commands.validate(next)).toEqual([]);
  expect(commands.apply(next)).toEqual({ accepted: true, version: 2 });
  expect(commands.apply(bytes(document({}, {}, 1)))).toMatchObject({ accepted: false });
});

describe('clear', () => {
  test('takes a MAC that was found twice as an ordinary one, and looks again', async () => {
    expect(await commands.clear({ network: 'line', mac: MAC })).toEqual({ ok: true, cleared: MAC });
    expect(cycles).toBe(1);
  });

  test.each([
    ['line', OTHER_MAC, 'failed'],
    ['cell', MAC, 'missing_network'],
    ['constructor', MAC, 'missing_network'],
  ] as const)('on %s of %s is refused', async (network, wanted, code) => {
    expect(await commands.clear({ network, mac: wanted })).toMatchObject({
      ok: false,
      reason: 'not_found',
      problem: { code },
    });
    expect(cycles).toBe(0);
  });
});
