import { describe, expect, test } from '@jest/globals';
import { NEIGHBOURS_MAX } from '../../src/drivers/overlay-neighbours.ts';
import type { Remote, RemotesByVni } from '../../src/model/peer.ts';
import { addNeighbours, readMark, readNeighbours, removeNeighbours } from '../../src/packet/neighbour-elements.ts';
import { NEIGHBOUR_RULES, neighbourTable } from '../../src/packet/neighbour-rules.ts';
import { batch, NFT } from '../../src/packet/nft-batch.ts';
import { readMessages } from '../../src/packet/netlink-read.ts';
import type { Step } from '../../src/reconcile/plan.ts';
import { type Json, overlay, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import type { Kernel } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';
import { mac, vni } from './support/values.ts';

const [M1, M2] = [mac('02:00:00:00:00:21'), mac('02:00:00:00:00:22')];
const LINE = { subnet: '10.110.0.0/24', subnet6: 'fd00:110::/64', gateway: '10.110.0.1', engine: 'kernel' };

const of = (rest: Json = {}): ReturnType<typeof desired> =>
  desired({ o: overlay(5, { ...LINE, ...rest }) }, { w: workload({ o: { address: '10.110.0.11' } }, 's1') });
const claim = (gateway: string, m = M1, ...ip: readonly string[]): Remote => {
  const vtep = { ip: `192.0.2.${gateway.charCodeAt(3) - 90}`, port: 4789 };
  return { gateway, vtep, macs: [{ m, ip, q: 0, s: 1 }] };
};
const peers = (...remotes: readonly Remote[]): RemotesByVni => new Map([[vni(5), remotes]]);
const B = peers(claim('gw-b', M1, '10.110.0.21', 'fd00:110::21'));

const rowsOf = (remotes: RemotesByVni, rest: Json = {}): readonly string[] => {
  const spec = look(newHost(), of(rest), remotes).intent.networks.get('o');
  return (spec?.neighbours?.rows ?? spec?.datapath?.neighbours ?? []).map(({ ip, mac: m }) => `${ip} ${m}`);
};

describe.each(['kernel', 'user'])('engine %s answers', (engine) => {
  const rows = (remotes: RemotesByVni, rest: Json = {}): readonly string[] => rowsOf(remotes, { engine, ...rest });

  test('for workloads of other gateways, IPv4 and IPv6', () => {
    expect(rows(B)).toEqual([`10.110.0.21 ${M1}`, `fd00:110::21 ${M1}`]);
  });

  test.each<[string, readonly Remote[]]>([
    ['a router', [claim('gw-b', M1, '10.110.0.1')]],
    ['an address outside the subnets', [claim('gw-b', M1, '10.111.0.21', 'fd00:111::21', 'fe80::21', '0.0.0.0', '::')]],
    ['the addresses of the subnet itself', [claim('gw-b', M1, '10.110.0.0', '10.110.0.255', 'fd00:110::')]],
    ['a workload here', [claim('gw-b', M1, '10.110.0.11')]],
    ['what two have', [claim('gw-b', M1, '10.110.0.21'), claim('gw-c', M2, '10.110.0.21')]],
    ['a gateway that is away', [{ ...claim('gw-b', M1, '10.110.0.21'), away: true }]],
    [
      'one that is there twice, once at a gateway that is away',
      [claim('gw-b', M1, '10.110.0.21'), { ...claim('gw-c', M2, '10.110.0.21'), away: true }],
    ],
    [
      'one whose VTEP is this gateway’s own',
      [{ ...claim('gw-b', M1, '10.110.0.21'), vtep: { ip: '192.0.2.1', port: 4789 } }],
    ],
    ['devices', [{ ...claim('gw-b'), macs: [{ m: M1, ip: [], q: 0, s: 0 }] }]],
  ])('not for %s', (_, remotes) => {
    expect(rows(peers(...remotes))).toEqual([]);
  });

  test('for nobody in a network without subnets', () => {
    const host = newHost();
    const { intent } = look(host, desired({ o: overlay(5, { engine }) }, {}), B);
    const spec = intent.networks.get('o');
    expect([spec?.neighbours, spec?.datapath?.neighbours]).toEqual([undefined, undefined]);
  });

  test('for so many and no more', () => {
    const ips = Array.from({ length: NEIGHBOURS_MAX + 1 }, (_, n) => `fd00:110::${(n + 16).toString(16)}`);
    expect(rows(peers(claim('gw-b', M1, ...ips)))).toHaveLength(NEIGHBOURS_MAX);
  });
});

const kinds = (kernel: Kernel, rest: Json, remotes: RemotesByVni): readonly string[] =>
  look(kernel, of(rest), remotes).steps.map(wordsOf);
const wordsOf = (step: Step): string => {
  if (step.kind === 'link.create') return `${step.kind} ${step.link.name}`;
  if (step.kind === 'neighbours.sync') return `sync ${step.whole} +${step.add.length} -${step.remove.length}`;
  return 'name' in step ? `${step.kind} ${step.name}` : step.kind;
};
function standing(rest: Json = {}): Kernel {
  const kernel = newHost();
  converge(kernel, of(rest), B);
  return kernel;
}
const held = (kernel: Kernel): readonly string[] =>
  (kernel.neighbours.tables.get('lsx-o')?.rows ?? []).map(({ ip, mac: m }) => `${ip} ${m}`);

describe('the kernel’s engine', () => {
  test('makes what it needs with the first neighbour, and changes only what changes', () => {
    const kernel = newHost();
    converge(kernel, of(), peers());
    expect(kernel.links.map(({ name }) => name)).not.toContain('lsn-o');
    expect(kinds(kernel, {}, B)).toEqual(['link.create lsn-o', 'guards.apply', 'fdb.sync', 'sync true +2 -0']);
    converge(kernel, of(), B);
    const moved = peers(claim('gw-b', M2, '10.110.0.21'), claim('gw-c', M1, 'fd00:110::21'));
    expect(kinds(kernel, {}, moved)).toContain('sync false +1 -1');
    converge(kernel, of(), moved);
    expect(held(kernel).toSorted()).toEqual([`10.110.0.21 ${M2}`, `fd00:110::21 ${M1}`]);
  });

  test('stops to answer before the interface goes that the answers go by', () => {
    const kernel = standing();
    expect(kinds(kernel, {}, peers()).slice(0, 2)).toEqual(['neighbours.clear', 'link.delete lsn-o']);
    converge(kernel, of(), peers());
    expect([...kernel.neighbours.tables.keys()]).toEqual([]);
  });

  test('mends what somebody else has changed', () => {
    const kernel = standing();
    const before = kernel.neighbours.tables.get('lsx-o');
    const rows = before?.rows ?? [];
    kernel.neighbours.tables.set('lsx-o', {
      answerer: before?.answerer,
      rows: [...rows.slice(1), { ip: '10.110.0.9', mac: M2 }],
    });
    expect(kinds(kernel, {}, B)).toEqual(['sync false +1 -1']);
    kernel.neighbours.tables.set('lsx-o', { answerer: undefined, rows });
    expect(kinds(kernel, {}, B)).toEqual(['sync true +2 -0']);
    kernel.neighbours.tables.clear();
    expect(kinds(kernel, {}, B)).toEqual(['sync true +2 -0']);
    kernel.neighbours.tables.set('lsx-strange', { answerer: 3, rows });
    expect(kinds(kernel, {}, B)).toEqual(['neighbours.clear', 'sync true +2 -0']);
  });

  test('makes all anew with the interface or the device', () => {
    for (const name of ['lsn-o', 'lsx-o']) {
      const kernel = standing();
      kernel.links = kernel.links.filter((link) => link.name !== name && (name === 'lsn-o' || link.name !== 'lsn-o'));
      converge(kernel, of(), B);
      const own = kernel.links.find((link) => link.name === 'lsn-o');
      expect(kernel.neighbours.tables.get('lsx-o')?.answerer).toBe(own?.index);
    }
  });

  test('while workloads change from and to a stretched network, all sites are asked', () => {
    const stretch = { stretch: { uplink: 'lan2' } };
    const kernel = standing();
    kernel.tamper(undefined, 'eth1', { addresses: [] });
    const seen = new Set<boolean>();
    for (const rest of [stretch, {}, stretch]) {
      for (let pass = 0; pass < 4; pass += 1) {
        kernel.run(look(kernel, of(rest), B).steps);
        const [lsn, lsx, lsb] = ['lsn-o', 'lsx-o', 'lsb-o'].map((name) =>
          kernel.links.find((link) => link.name === name),
        );
        const table = kernel.neighbours.tables.get('lsx-o');
        seen.add(table !== undefined);
        if (table === undefined) continue;
        // It hangs where the workload does, beside the port.
        const workloads = kernel
          .observe()
          .sandboxes.get('/run/netns/s1')
          ?.links.find(({ ours }) => ours)?.parent;
        expect([table.answerer, lsn?.parent]).toEqual([lsn?.index, workloads]);
        expect(lsx?.master).toBe(lsb?.name);
      }
      expect(kinds(kernel, rest, B)).toEqual([]);
      expect(held(kernel)).toHaveLength(2);
    }
    expect(seen).toEqual(new Set([true, false]));
  });

  test('keeps answering while the network waits', () => {
    const kernel = standing();
    kernel.underlay = undefined;
    expect(kinds(kernel, {}, B)).toEqual([]);
  });

  test('does without where the kernel cannot', () => {
    const kernel = newHost();
    kernel.neighbours.possible = false;
    converge(kernel, of(), B);
    expect([kernel.neighbours.tables.size, kernel.links.some(({ name }) => name === 'lsn-o')]).toEqual([0, false]);
  });
});

describe('in the kernel’s words', () => {
  const rows = Array.from({ length: 600 }, (_, n) => ({ ip: `10.110.${n >> 8}.${n & 255}`, mac: M1 }));
  const all = [...rows, { ip: 'fd00:110::21', mac: M2 }];

  test('neighbours are written in lists that fit, and read again', () => {
    const changes = addNeighbours('table', all);
    expect(changes.map(({ type }) => type)).toEqual([NFT.NEW_ELEMENT, NFT.NEW_ELEMENT, NFT.NEW_ELEMENT]);
    const messages = readMessages(batch(5, changes));
    expect(messages.flatMap((message) => readNeighbours(message))).toEqual(all);
    expect(
      readMessages(batch(5, removeNeighbours('table', all))).flatMap((message) => readNeighbours(message)),
    ).toEqual([]);
  });

  test('each rule bears the mark, and no other message has one', () => {
    const messages = readMessages(batch(5, neighbourTable('table', 'lsx-o', 7, 'linkspan 1 7')));
    expect(messages.flatMap((message) => readMark(message) ?? [])).toEqual(
      Array.from({ length: NEIGHBOUR_RULES }, () => 'linkspan 1 7'),
    );
  });
});
