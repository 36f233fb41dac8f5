import { describe, expect, test } from '@jest/globals';
import { bridge, macvlan, overlay, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import { link } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';

const LONG = 'of-the-line-with-the-longest-name-that-a-document-can-give-it'.slice(0, 61);
const kinds = (view: ReturnType<typeof look>): string[] => view.steps.map(({ kind, object }) => `${kind} ${object}`);
const cellOf = (address: string, rest = {}): ReturnType<typeof desired> =>
  desired({ cell: bridge('10.9.0.0/24', rest) }, { w: workload({ cell: { address } }, 's1') });

const withVni = (vni: number): ReturnType<typeof desired> =>
  desired({ o: overlay(vni) }, { w: workload({ o: {} }, 's1') });

describe('a workload that is attached', () => {
  test('gets a new address without being taken off, and keeps what it gave itself', () => {
    const kernel = newHost();
    converge(kernel, cellOf('10.9.0.5'));
    const own = { addAddresses: ['10.9.0.99/24'], removeAddresses: [] };
    kernel.run([{ kind: 'link.adjust', object: 'test', sandbox: '/run/netns/s1', name: 'eth0', changes: own }]);
    expect(look(kernel, cellOf('10.9.0.5')).steps).toEqual([]);
    const view = look(kernel, cellOf('10.9.0.6'));
    expect(view.steps).toMatchObject([
      { kind: 'link.adjust', changes: { addAddresses: ['10.9.0.6/24'], removeAddresses: ['10.9.0.5/24'] } },
    ]);
  });

  test('gets back its default route with its interface', () => {
    const kernel = newHost();
    converge(kernel, cellOf('10.9.0.5'));
    kernel.tamper('/run/netns/s1', 'eth0', { up: false });
    expect(look(kernel, cellOf('10.9.0.5')).steps).toMatchObject([
      { kind: 'link.adjust', changes: { up: true, addDefaults: ['10.9.0.1'] } },
    ]);
  });

  test.each([
    ['another gateway', cellOf('10.9.0.5', { gateway: '10.9.0.2' }), 'has another gateway'],
    [
      'another name',
      desired(
        { cell: bridge('10.9.0.0/24') },
        { w: workload({ cell: { address: '10.9.0.5', interface: 'lan0' } }, 's1') },
      ),
      'is named eth0 and shall be lan0',
    ],
    [
      'another MAC',
      desired(
        { cell: bridge('10.9.0.0/24') },
        { w: workload({ cell: { address: '10.9.0.5', mac: '02:00:00:00:00:99' } }, 's1') },
      ),
      'and shall have 02:00:00:00:00:99',
    ],
    [
      'another driver',
      desired(
        { cell: overlay(5, { subnet: '10.9.0.0/24', gateway: '10.9.0.1' }) },
        { w: workload({ cell: { address: '10.9.0.5' } }, 's1') },
      ),
      'is a veth and shall be a macvlan',
    ],
  ])('is made anew for %s', (_, to, reason) => {
    const kernel = newHost();
    converge(kernel, cellOf('10.9.0.5'));
    const { steps } = look(kernel, to);
    expect(steps[0]).toMatchObject({ kind: 'endpoint.detach', object: 'endpoint/w/cell', name: 'eth0' });
    expect(steps[0]).toHaveProperty('reason', expect.stringContaining(reason));
    expect(steps.at(-1)).toMatchObject({ kind: 'endpoint.attach', object: 'endpoint/w/cell' });
  });

  test('is made anew with its parent', () => {
    const kernel = newHost();
    converge(kernel, withVni(1));
    expect(kinds(look(kernel, withVni(2)))).toEqual([
      'endpoint.detach endpoint/w/o',
      'link.delete network/o',
      'link.create network/o',
      'guards.apply network/o/guards',
      'guards.apply host/guards',
      'endpoint.attach endpoint/w/o',
    ]);
  });

  test('follows its sandbox, and two names of one namespace are one', () => {
    const kernel = newHost();
    const wanted = cellOf('10.9.0.5');
    converge(kernel, wanted);
    const moved = desired({ cell: bridge('10.9.0.0/24') }, { w: workload({ cell: { address: '10.9.0.5' } }, 's2') });
    expect(kinds(look(kernel, moved))).toEqual(['endpoint.detach endpoint/w/cell', 'endpoint.attach endpoint/w/cell']);
    kernel.alsoKnownAs('/run/netns/s1', '/proc/77/ns/net');
    expect(look(kernel, wanted).steps).toEqual([]);
  });
});

describe('a workload that cannot be attached', () => {
  test('waits for its namespace, named with the remedy', () => {
    const view = look(newHost(), desired({ cell: bridge('10.9.0.0/24') }, { w: workload({ cell: {} }, 'gone') }));
    expect(view.waiting.get('endpoint/w/cell')).toMatchObject({ path: '/spec/workloads/w/sandbox', code: 'waiting' });
    expect(view.waiting.get('endpoint/w/cell')?.message).toContain('ip netns add gone');
    expect(kinds(view)).not.toContain('endpoint.attach endpoint/w/cell');
  });

  test('waits for its process', () => {
    const view = look(newHost(), desired({ o: overlay(5) }, { w: { sandbox: { pid: 77 }, networks: { o: {} } } }));
    expect(view.waiting.get('endpoint/w/o')?.message).toContain('there is no process 77');
  });

  test('waits where its interface’s name is a foreign one’s', () => {
    const kernel = newHost([], [link('eth0', 70)]);
    const view = converge(kernel, cellOf('10.9.0.5'));
    expect(view.waiting.get('endpoint/w/cell')).toMatchObject({ code: 'name_taken' });
  });

  test('keeps what it has while its network waits', () => {
    const kernel = newHost();
    const wanted = desired({ plant: macvlan() }, { w: workload({ plant: {} }, 's1') });
    converge(kernel, wanted);
    kernel.links = kernel.links.filter(({ name }) => name !== 'eth0');
    const view = look(kernel, wanted);
    expect(view.steps).toEqual([]);
    expect(view.waiting.get('network/plant')?.message).toContain('plug it in again');
  });
});

test('with the longest names and many addresses stays as it is, and follows a change of address', () => {
  const [gateway, w, cell] = ['g'.repeat(63), `w-${LONG}`, `c-${LONG}`];
  const at = (address: string): ReturnType<typeof desired> =>
    desired(
      { [cell]: bridge('10.9.0.0/24', { subnet6: 'fd00:1111:2222:3333::/64' }) },
      { [w]: workload({ [cell]: { address, address6: 'fd00:1111:2222:3333:4444:5555:6666:7777' } }, 's1') },
    );
  const kernel = newHost();
  kernel.run(look(kernel, at('10.9.0.5'), new Map(), gateway).steps);
  expect(look(kernel, at('10.9.0.5'), new Map(), gateway).steps).toEqual([]);
  converge(kernel, at('10.9.0.6'), new Map(), gateway);
  const addresses = kernel.observe().sandboxes.get('/run/netns/s1')?.links.at(-1)?.addresses;
  expect(addresses).toEqual(['10.9.0.6/24', 'fd00:1111:2222:3333:4444:5555:6666:7777/64']);
});
