import { describe, expect, test } from '@jest/globals';
import type { PublishedPort } from '../../src/model/network.ts';
import { addressesMeet, formatPublished } from '../../src/model/published.ts';
import { readPublish } from '../../src/document/publish.ts';
import {
  bridge,
  document,
  documentOf,
  END,
  type Json,
  macvlan,
  overlay,
  parse,
  problemsOf,
  workload,
} from './support/documents.ts';

const port = (hostPort: number, inside: number, rest: Partial<PublishedPort> = {}): PublishedPort => ({
  protocol: 'tcp',
  hostPort,
  port: inside,
  ...rest,
});

describe('an item of publish', () => {
  test.each<[string, readonly PublishedPort[]]>([
    ['8080:80', [port(8080, 80)]],
    ['8080:80/udp', [port(8080, 80, { protocol: 'udp' })]],
    ['1:65535/sctp', [port(1, 65_535, { protocol: 'sctp' })]],
    ['8000-8002:80-82', [port(8000, 80), port(8001, 81), port(8002, 82)]],
    ['10.0.0.1:53:53/udp', [port(53, 53, { protocol: 'udp', hostAddress: '10.0.0.1' })]],
    ['[FD00:0::1]:53:53', [port(53, 53, { hostAddress: 'fd00::1' })]],
  ])('%s', (text, ports) => {
    expect(readPublish(text)).toEqual(ports);
  });

  test.each([
    '0:80',
    '80:0',
    '65536:80',
    '80:99999',
    '8000-8001:80',
    '8000:80-81',
    '8001-8000:80-79',
    '8000-8001:80-82',
    '1-2-3:1-2-3',
    '300.0.0.1:80:80',
    '224.0.0.1:80:80',
    '[ff02::1]:80:80',
  ])('%s is none', (text) => {
    expect(readPublish(text)).toBeUndefined();
    const cell = bridge('172.30.0.0/24');
    const result = parse(document({ cell }, { w: workload({ cell: { publish: [text] } }) }));
    expect(problemsOf(result)).toEqual([`schema ${END}/w/networks/cell/publish/0`]);
  });

  test.each(['80', 'x:80', '80:80/icmp', '80:80/', ':80:80', 'fd00::1:80:80', '80 :80', ''])(
    '"%s" has not even the form of one',
    (text) => {
      const cell = bridge('172.30.0.0/24');
      const result = parse(document({ cell }, { w: workload({ cell: { publish: [text] } }) }));
      expect(problemsOf(result)).toEqual([`schema ${END}/w/networks/cell/publish/0`]);
    },
  );
});

test('ports are shown as written, neighbours as ranges', () => {
  const text = ['8000-8002:80-82/tcp', '8003:90/tcp', '8004:91/udp', '10.0.0.1:1:1/tcp', '[fd00::1]:2-3:2-3/tcp'];
  expect(formatPublished(text.flatMap((item) => readPublish(item) ?? []))).toEqual(text);
});

test.each<[string | undefined, string | undefined, boolean]>([
  [undefined, undefined, true],
  [undefined, '10.0.0.1', true],
  ['0.0.0.0', '10.0.0.1', true],
  ['::', 'fd00::1', true],
  ['10.0.0.1', '10.0.0.1', true],
  ['10.0.0.1', '10.0.0.2', false],
  ['0.0.0.0', '::', false],
  ['0.0.0.0', 'fd00::1', false],
])('%s and %s: %s', (a, b, meet) => {
  expect([addressesMeet(a, b), addressesMeet(b, a)]).toEqual([meet, meet]);
});

const problems = (networks: Json, ...publish: readonly (readonly [string, readonly string[]])[]): string[] =>
  problemsOf(
    parse(
      document(
        networks,
        Object.fromEntries(
          publish.map(([network, ports], n) => [`w${n}`, workload({ [network]: { publish: ports } }, `s${n}`)]),
        ),
      ),
    ),
  );
const at = (workloadName: string, place: string): string => `${END}/${workloadName}/networks/${place}`;

describe('published ports in a document', () => {
  const cell = bridge('172.30.0.0/24');

  test('become the endpoint’s, one for each port of a range', () => {
    const { state } = documentOf(
      parse(document({ cell }, { w: workload({ cell: { publish: ['1-2:3-4', '5:6/udp'] } }) })),
    );
    expect(state.endpoints[0]?.publish).toEqual([port(1, 3), port(2, 4), port(5, 6, { protocol: 'udp' })]);
  });

  test.each<[string, readonly string[], readonly string[]]>([
    ['the same port', ['80:80'], ['80:81']],
    ['a port in a range', ['80:80'], ['70-90:70-90']],
    ['one address and all', ['80:80'], ['10.0.0.1:80:80']],
    ['two ranges', ['80-90:80-90'], ['90-99:90-99']],
    ['a family and an address', ['0.0.0.0:80:80'], ['10.0.0.1:80:80']],
  ])('%s twice is one problem, at the later', (_, first, second) => {
    expect(problems({ cell }, ['cell', first], ['cell', second])).toEqual([
      `duplicate_port ${at('w1', 'cell/publish/0')}`,
    ]);
  });

  test.each<[readonly string[], readonly string[]]>([
    [['80:80'], ['80:80/udp']],
    [['10.0.0.1:80:80'], ['10.0.0.2:80:80']],
    [['0.0.0.0:80:80'], ['[::]:80:80']],
    [['80:80'], ['81:80']],
  ])('%s and %s go together', (first, second) => {
    expect(problems({ cell }, ['cell', first], ['cell', second])).toEqual([]);
  });

  test('twice in one list says so and what to do', () => {
    const result = parse(document({ cell }, { w: workload({ cell: { publish: ['80:80', '80:81'] } }) }));
    expect(result).toMatchObject({
      problems: [{ message: expect.stringContaining('which workload w publishes already; use another port, or') }],
    });
  });

  test('are refused where the workload has an address of its own, or no way out', () => {
    const networks = { m: macvlan(), o: overlay(1), i: bridge('172.31.0.0/24', { internal: true }) };
    expect(problems(networks, ['m', ['1:1']], ['o', ['2:1']], ['i', ['3:1']])).toEqual([
      `unpublishable ${at('w0', 'm/publish')}`,
      `unpublishable ${at('w1', 'o/publish')}`,
      `unpublishable ${at('w2', 'i/publish')}`,
    ]);
  });

  test('at ::1 are refused', () => {
    expect(problems({ cell }, ['cell', ['[::1]:80:80']])).toEqual([`unpublishable ${at('w0', 'cell/publish/0')}`]);
  });

  test('are 8192 at most', () => {
    expect(problems({ cell }, ['cell', ['1-8192:1-8192']])).toEqual([]);
    expect(problems({ cell }, ['cell', ['1-8192:1-8192', '9000:1']])).toEqual([
      `too_large ${at('w0', 'cell/publish/1')}`,
    ]);
  });
});

const networkOf = (rest: Json): unknown =>
  documentOf(parse(document({ n: bridge('10.0.0.0/24', rest) }))).state.networks[0];

test('internal, icc and masquerade of a network reach the state, and are absent where they say what holds anyhow', () => {
  expect(networkOf({ internal: true, icc: false, masquerade: false })).toMatchObject({
    internal: true,
    icc: false,
    masquerade: false,
  });
  expect(Object.keys(networkOf({ internal: false, icc: true, masquerade: true }) as object)).toEqual(
    Object.keys(networkOf({}) as object),
  );
  const plant = document({ m: macvlan({ internal: true, subnet: '10.20.0.0/16' }), o: overlay(1, { internal: true }) });
  expect(documentOf(parse(plant)).state.networks).toMatchObject([{ internal: true }, { internal: true }]);
});
