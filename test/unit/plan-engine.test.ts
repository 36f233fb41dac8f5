import { describe, expect, test } from '@jest/globals';
import { canonicalState } from '../../src/datapath/state.ts';
import type { RemotesByVni } from '../../src/model/peer.ts';
import { datapathProblems } from '../../src/reconcile/plan-datapath.ts';
import { type Json, macvlan, overlay, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import { type Kernel, link, UNDERLAY } from './support/kernel.ts';
import { converge, desired, look, SOCKET } from './support/planning.ts';
import { mac, vni } from './support/values.ts';

const S1 = '/run/netns/s1';
const by = (engine: string, rest: Json = {}): ReturnType<typeof desired> =>
  desired({ o: overlay(5, { engine, ...rest }) }, { w: workload({ o: {} }, 's1') });
const twoBy = (engine: string): ReturnType<typeof desired> =>
  desired({ o: overlay(5, { engine }), p: overlay(6, { engine }) }, { w: workload({ o: {} }, 's1') });
const three = (engine: string): ReturnType<typeof desired> => {
  const networks = { o: overlay(5, { engine }), p: overlay(6, { engine }) };
  return desired(networks, {
    w: workload({ o: {} }, 's1'),
    x: workload({ o: {} }, 's2'),
    y: workload({ p: {} }, 's3'),
  });
};
const kinds = (view: ReturnType<typeof look>): string[] =>
  view.steps.map((step) => {
    if (step.kind === 'link.create') return `${step.kind} ${step.link.name}`;
    if (step.kind === 'guards.apply')
      return `${step.body === '' ? 'unguard' : 'guard'} ${step.table.slice(step.table.indexOf('-') + 1)}`;
    return 'name' in step ? `${step.kind} ${step.name}` : step.kind;
  });
const REMOTES: RemotesByVni = new Map([
  [vni(5), [{ gateway: 'gw-b', vtep: { ip: '192.0.2.2', port: 4789 }, macs: [] }]],
]);

/** A gateway that runs by one engine, its workload with something of its own on its interface. */
function running(engine: string): Kernel {
  const kernel = newHost();
  converge(kernel, by(engine), REMOTES);
  const own = { addAddresses: ['10.9.9.9/24'], removeAddresses: [] };
  kernel.run([{ kind: 'link.adjust', object: 'test', sandbox: S1, name: 'eth0', changes: own }]);
  return kernel;
}

const inside = (kernel: Kernel): readonly string[] =>
  (kernel.observe().sandboxes.get(S1)?.links ?? [])
    .filter(({ ours }) => ours)
    .map(({ name, parent, addresses }) => {
      const on = kernel.links.find(({ index }) => index === parent)?.name;
      return `${name} on ${on} with ${addresses.join()}`;
    });

describe('a change of engine', () => {
  test('from kernel to user moves the workload before its device goes, and binds the port after', () => {
    const kernel = running('kernel');
    const taps = look(kernel, by('user'), REMOTES);
    expect(kinds(taps)).toEqual(['link.create lsu-o', 'guard lsu-o']);
    kernel.run(taps.steps);
    const first = look(kernel, by('user'), REMOTES);
    expect(kinds(first)).toEqual(['endpoint.move']);
    kernel.run(first.steps);
    expect(inside(kernel)).toEqual(['eth0 on lsu-o with 10.9.9.9/24']);
    const second = look(kernel, by('user'), REMOTES);
    expect(kinds(second)).toEqual(['link.delete lsx-o', 'datapath.set', 'unguard lsx-o', 'unguard vteps']);
    kernel.run(second.steps);
    converge(kernel, by('user'), REMOTES);
    expect(kernel.told?.networks).toMatchObject([{ vni: 5, tap: 'lsu-o', peers: [{ vtep: { ip: '192.0.2.2' } }] }]);
  });

  test('from user to kernel frees the port first, fills the table, and deletes the TAP last', () => {
    const kernel = running('user');
    const first = look(kernel, by('kernel'), REMOTES);
    expect(kinds(first)).toEqual([
      'datapath.set',
      'link.create lsx-o',
      'guard lsx-o',
      'guard vteps',
      'fdb.sync',
      'endpoint.move',
    ]);
    expect(first.steps[0]).toMatchObject({ object: 'host/datapath', state: { networks: [] } });
    kernel.run(first.steps);
    expect(inside(kernel)).toEqual(['eth0 on lsx-o with 10.9.9.9/24']);
    const second = look(kernel, by('kernel'), REMOTES);
    expect(kinds(second)).toEqual(['link.delete lsu-o', 'unguard lsu-o']);
    kernel.run(second.steps);
    expect(look(kernel, by('kernel'), REMOTES).steps).toEqual([]);
  });

  test('deletes nothing under a workload whose move fails, and while none could be moved leaves the port where it is', () => {
    const kernel = running('kernel');
    kernel.run(look(kernel, by('user'), REMOTES).steps);
    // A pass in which the move fails.
    expect(kinds(look(kernel, by('user'), REMOTES))).toEqual(['endpoint.move']);
    expect(look(kernel, by('user'), REMOTES).waiting.size).toBe(0);
    expect(kinds(look(kernel, by('kernel'), REMOTES))).toEqual(['link.delete lsu-o', 'unguard lsu-o']);
  });

  test('cuts off one workload whose move fails, and nobody else: its device gives the port away, and comes back', () => {
    const kernel = newHost();
    converge(kernel, three('kernel'), REMOTES);
    const failing = (passes: number): void => {
      for (let pass = 0; pass < passes; pass += 1)
        kernel.run(look(kernel, three('user'), REMOTES).steps.filter(({ object }) => object !== 'endpoint/w/o'));
    };
    failing(2);
    const stuck = look(kernel, three('user'), REMOTES);
    expect(kinds(stuck)).toEqual([
      'link.delete lsx-p',
      'endpoint.move',
      'link.down lsx-o',
      'datapath.set',
      'unguard lsx-p',
    ]);
    failing(2);
    expect(kernel.told?.networks.map(({ tap }) => tap)).toEqual(['lsu-o', 'lsu-p']);
    expect(inside(kernel)[0]).toContain('eth0 on lsx-o');
    const later = look(kernel, three('user'), REMOTES);
    expect(kinds(later)).toEqual(['endpoint.move']);
    expect([...later.waiting.keys()]).toEqual(['endpoint/w/o']);
    const message: unknown = expect.stringMatching(/lsx-o is down.*mend its cause, or detach/);
    expect(later.waiting.get('endpoint/w/o')).toMatchObject({ path: '/spec/workloads/w/networks/o', message });
    const back = look(kernel, three('kernel'), REMOTES);
    expect(back.steps).toContainEqual(expect.objectContaining({ kind: 'link.adjust', name: 'lsx-o' }));
    expect(converge(kernel, three('user'), REMOTES).waiting.size).toBe(0);
    expect(kernel.links.map(({ name }) => name)).not.toContain('lsx-o');
    converge(kernel, three('kernel'), REMOTES);
    expect(inside(kernel)[0]).toContain('eth0 on lsx-o');
  });

  test('moves nobody before every TAP stands: one that cannot be made would keep the port', () => {
    const kernel = newHost();
    converge(kernel, three('kernel'), REMOTES);
    const failing = (): ReturnType<typeof look>['steps'] =>
      look(kernel, three('user'), REMOTES).steps.filter(({ object }) => !object.startsWith('network/p'));
    for (let pass = 0; pass < 3; pass += 1) kernel.run(failing());
    expect(inside(kernel)[0]).toContain('eth0 on lsx-o');
    expect(failing()).toEqual([]);
  });

  test('moves nobody while the datapath is silent, though its TAP stands', () => {
    const kernel = running('kernel');
    kernel.run(look(kernel, by('user'), REMOTES).steps);
    kernel.datapathRuns = false;
    expect(look(kernel, by('user'), REMOTES).steps).toEqual([]);
  });

  test('moves nobody to where the port cannot come, since another network waits on its vxlan device', () => {
    const kernel = newHost();
    converge(kernel, twoBy('kernel'), REMOTES);
    const foreign = link('lsu-p', 77);
    kernel.links = [...kernel.links, foreign];
    for (let pass = 0; pass < 3; pass += 1) kernel.run(look(kernel, twoBy('user'), REMOTES).steps);
    expect(inside(kernel)[0]).toContain('eth0 on lsx-o');
    kernel.links = kernel.links.filter((one) => one !== foreign);
    converge(kernel, twoBy('user'), REMOTES);
    expect(inside(kernel)[0]).toContain('eth0 on lsu-o');
  });

  test('changes nothing while the datapath is not there', () => {
    const kernel = running('kernel');
    kernel.datapathRuns = false;
    const view = look(kernel, by('user'), REMOTES);
    expect(view.steps).toEqual([]);
    expect(view.waiting.get('network/o')).toMatchObject({ code: 'engine_unavailable' });
  });

  test('clears away the half of a move that was killed', () => {
    const kernel = running('kernel');
    const half = link('lst-wo123456', 90, {
      ours: true,
      kind: 'macvlan',
      alias: 'linkspan:gw-a:endpoint/w/o',
      up: false,
    });
    const { links = [], inode = 0 } = kernel.observe().sandboxes.get(S1) ?? {};
    kernel.put(S1, [half, ...links], inode);
    const { steps } = look(kernel, by('kernel'), REMOTES);
    expect(steps).toMatchObject([{ kind: 'link.delete', sandbox: S1, name: 'lst-wo123456' }]);
    kernel.run(steps);
    expect(inside(kernel)).toEqual(['eth0 on lsx-o with 10.9.9.9/24']);
  });
});

const plant = (uplink: string, mode: string): ReturnType<typeof desired> =>
  desired({ p: macvlan({ uplink, mode }) }, { w: workload({ p: {} }, 's1') });

describe('a change of uplink', () => {
  test.each([
    ['bridge', ['endpoint.move']],
    ['passthru', ['endpoint.detach eth0', 'endpoint.attach']],
  ])('in mode %s is %j', (mode, expected) => {
    const kernel = newHost();
    converge(kernel, plant('lan', mode));
    expect(kinds(look(kernel, plant('lan2', mode)))).toEqual(expected);
  });
});

const both = (mtu: number): ReturnType<typeof desired> =>
  desired({ o: overlay(5, { engine: 'user' }), p: overlay(6, { engine: 'user', mtu }) });

describe('the datapath', () => {
  test('is told before workloads appear, and of each change in its peers', () => {
    const kernel = newHost();
    const view = look(kernel, by('user'));
    expect(kinds(view)).toEqual(['link.create lsu-o', 'guard lsu-o', 'datapath.set', 'endpoint.attach']);
    kernel.run(view.steps);
    const { steps } = look(kernel, by('user'), REMOTES);
    expect(steps).toMatchObject([{ kind: 'datapath.set', state: { v: 1, vtep: { ip: '192.0.2.1', port: 4789 } } }]);
  });

  test('is told when the underlay’s address moves to another interface, where groups are to be joined', () => {
    const kernel = running('user');
    kernel.underlay = { ...UNDERLAY, device: 'eth1', index: 3 };
    const { steps } = look(kernel, by('user'), REMOTES);
    const vtep = { ip: UNDERLAY.address, port: 4789, ifindex: 3 };
    expect(steps).toMatchObject([{ kind: 'datapath.set', state: { vtep } }]);
    kernel.run(steps);
    expect(look(kernel, by('user'), REMOTES).steps).toEqual([]);
  });

  test('is told anew what it forgot', () => {
    const kernel = running('user');
    kernel.told = undefined;
    expect(kinds(look(kernel, by('user'), REMOTES))).toEqual(['datapath.set']);
  });

  test('lets go of a TAP before that is deleted', () => {
    const kernel = running('user');
    expect(kinds(look(kernel, desired({}), REMOTES))).toEqual([
      'endpoint.detach eth0',
      'datapath.set',
      'link.delete lsu-o',
      'unguard lsu-o',
    ]);
  });

  test('keeps a network that waits, beside one that changes', () => {
    const kernel = newHost();
    converge(kernel, both(1400));
    kernel.tamper(undefined, 'lsu-o', { ours: false });
    const { steps, waiting } = look(kernel, both(1300));
    expect([...waiting.keys()]).toEqual(['network/o']);
    const told = steps.find(({ kind }) => kind === 'datapath.set');
    expect(told).toMatchObject({ state: { networks: [{ vni: 6, mtu: 1300 }, { vni: 5 }] } });
  });

  test('that serves another gateway is left alone', () => {
    const kernel = newHost();
    const vtep = { ip: '192.0.2.77', port: 4790 };
    const network = { vni: vni(9), tap: 'lsu-theirs', mtu: 1450, tagged: false, bumPps: null, group: null, peers: [] };
    kernel.told = { v: 1, vtep, networks: [network] };
    expect(look(kernel, desired({})).steps).toEqual([]);
    kernel.told = { ...kernel.told, vtep: { ip: UNDERLAY.address, port: 4790 } };
    expect(kinds(look(kernel, desired({})))).toEqual(['datapath.set']);
  });

  test('that is silent or in trouble is each network’s problem', () => {
    const kernel = running('user');
    const problemOf = (): string | undefined => {
      const { intent } = look(kernel, by('user'), REMOTES);
      return datapathProblems(intent, kernel.observe(), SOCKET).get('network/o')?.message;
    };
    expect(problemOf()).toBeUndefined();
    kernel.trouble = 'lsu-o: busy';
    expect(problemOf()).toBe('network o: lsu-o: busy');
    kernel.trouble = null;
    kernel.paths = [
      { ip: '192.0.2.77', mtu: 1000 },
      { ip: '192.0.2.2', mtu: 1400 },
    ];
    expect(problemOf()).toContain('the way to 192.0.2.2 passes packets of 1400 bytes; TCP is told to send less');
    kernel.paths = [{ ip: '192.0.2.2', mtu: 1450 }];
    expect(problemOf()).toBeUndefined();
    kernel.datapathRuns = false;
    expect(problemOf()).toContain(`does not answer at ${SOCKET}; start linkspan-datapath`);
  });
});

test('a TAP that passes no unsegmented packets is made anew', () => {
  const kernel = running('user');
  kernel.tamper(undefined, 'lsu-o', { data: { type: 'tap', vnet_hdr: false } });
  expect(look(kernel, by('user'), REMOTES).steps.slice(0, 3)).toMatchObject([
    { kind: 'endpoint.detach' },
    { kind: 'link.delete', name: 'lsu-o', reason: expect.stringContaining('vnet_hdr') },
    { kind: 'link.create' },
  ]);
});

const PEERS = [1, 2].map((port) => ({
  learned: false,
  macs: [mac('02:00:00:00:00:02'), mac('02:00:00:00:00:01')],
  vtep: { port, ip: '192.0.2.2' },
}));

test('one state has one text, whatever the order of its parts and of their keys', () => {
  const texts = [PEERS, PEERS.toReversed()].map((peers) => {
    const network = { group: null, tap: 'lsu-o', vni: vni(5), mtu: 1450, tagged: false, bumPps: null, peers };
    return canonicalState({ networks: [network], vtep: { port: 4789, ip: '192.0.2.1' }, v: 1 });
  });
  expect(texts[0]).toBe(texts[1]);
  expect(texts[0]).toContain('{"v":1,"vtep":{"ip":"192.0.2.1","port":4789},"networks":[{"vni":5,"tap":"lsu-o"');
});
