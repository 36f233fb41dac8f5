import { expect, test } from '@jest/globals';
import { AddressBook } from '../../src/datapath/address-book.ts';
import { numberState } from '../../src/datapath/engine-state.ts';
import { parseState } from '../../src/datapath/parse-state.ts';
import { canonicalState } from '../../src/datapath/state.ts';

const told = (vtep: Record<string, unknown>): unknown => ({
  v: 1,
  vtep: { ip: '192.0.2.1', port: 4789, ...vtep },
  networks: [],
});

test('a state names the interface of its underlay, or leaves it to the kernel', () => {
  expect(parseState(told({ ifindex: 7 })).vtep).toEqual({ ip: '192.0.2.1', port: 4789, ifindex: 7 });
  expect(parseState(told({})).vtep).toEqual({ ip: '192.0.2.1', port: 4789 });
  expect(canonicalState(parseState(told({})))).toBe('{"v":1,"vtep":{"ip":"192.0.2.1","port":4789},"networks":[]}');
});

test('the same address on another interface is another state, and is remembered as told', () => {
  const texts = [2, 3].map((ifindex) => canonicalState(parseState(told({ ifindex }))));
  expect(texts[0]).not.toBe(texts[1]);
  for (const text of texts) expect(canonicalState(parseState(JSON.parse(text)))).toBe(text);
});

test.each([0, -1, 1.5, 2 ** 31, '2', 'eth0', null, {}, [2], true])('no interface is %j', (ifindex) => {
  expect(() => parseState(told({ ifindex }))).toThrow('/vtep/ifindex');
});

const WAYS = [
  { vtep: { ip: '192.0.2.2', port: 4789 }, macs: [], learned: false, silent: true },
  { vtep: { ip: '192.0.2.3', port: 4789 }, macs: [], learned: false, mtu: 1350 },
  { vtep: { ip: '192.0.2.4', port: 4789 }, macs: [], learned: false, mtu: 1350 },
];
const line = (peers: readonly object[]): object => ({
  ...(told({}) as object),
  networks: [{ vni: 5, tap: 'lsu-o', mtu: 1450, tagged: false, bumPps: null, group: null, peers }],
});

test('what answers no probe is not flooded to but let in; of a narrow way the narrower word counts', () => {
  const state = parseState(line(WAYS));
  const kernel = new Map([['192.0.2.3', 1300]]);
  const { networks, paths } = numberState(state, new AddressBook(), ({ ip }) => kernel.get(ip));
  expect([networks[0]?.flood, networks[0]?.sources, paths]).toEqual([
    [1, 2],
    [0, 1, 2],
    [undefined, 1300, 1350],
  ]);
  const text = canonicalState(state);
  expect(text).toContain('"silent":true');
  expect(canonicalState(parseState(JSON.parse(text)))).toBe(text);
});

test.each([{ silent: 1 }, { mtu: 67 }, { mtu: '1400' }])('a peer is not %j', (over) => {
  expect(() => parseState(line([{ ...WAYS[0], ...over }]))).toThrow(`/networks/0/peers/0/${Object.keys(over)[0]}`);
});
