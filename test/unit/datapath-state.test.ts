import { expect, test } from '@jest/globals';
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
