import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { AddressBook, PEERS_MAX, vtepKey } from '../../src/datapath/address-book.ts';
import { MacTable } from '../../src/datapath/fdb.ts';
import { sockaddr } from '../../src/datapath/sockaddr.ts';
import { Sources } from '../../src/datapath/sources.ts';
import { StormLimit } from '../../src/datapath/storm.ts';
import type { Vtep } from '../../src/model/peer.ts';

const RUNS = { numRuns: 200, seed: 20_261_124 };

test('a MAC table is a map, whatever is done to it', () => {
  const key = fc.record({ high: fc.integer({ min: 0, max: 3 }), low: fc.integer({ min: -40, max: 40 }) });
  const step = fc.record({ kind: fc.constantFrom('set', 'set', 'delete', 'touch'), key, value: fc.nat(4095) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600, size: 'max' }), (steps) => {
      const table = new MacTable();
      const map = new Map<string, readonly [number, number]>();
      for (const [stamp, { kind, key: mac, value }] of steps.entries()) {
        const name = `${mac.high} ${mac.low}`;
        const before = map.get(name);
        if (kind === 'set') {
          table.set(mac.high, mac.low, value, stamp);
          map.set(name, [value, stamp]);
        } else if (kind === 'delete') {
          table.delete(mac.high, mac.low);
          map.delete(name);
        } else {
          table.touch(mac.high, mac.low, stamp);
          if (before) map.set(name, [before[0], stamp]);
        }
        if (table.get(mac.high, mac.low) !== (map.get(name)?.[0] ?? -1)) return false;
      }
      const entries = [...table.entries()].map(
        ({ high, low, value, stamp }) => [`${high} ${low}`, [value, stamp]] as const,
      );
      expect(table.size).toBe(map.size);
      expect(new Map(entries)).toEqual(map);
      return true;
    }),
    RUNS,
  );
});

test('a MAC table that was cleared has nothing, and takes all anew', () => {
  const table = new MacTable();
  for (let round = 0; round < 3; round += 1) {
    for (let low = 0; low < 1000; low += 1) table.set(2, low, low + round);
    expect([table.size, table.get(2, 999)]).toEqual([1000, 999 + round]);
    table.clear();
    expect([table.size, table.get(2, 999), [...table.entries()].length]).toEqual([0, -1, 0]);
  }
});

test('a MAC table finds what is not there at once, though many came and went', () => {
  const table = new MacTable();
  for (let round = 0; round < 200_000; round += 1) {
    table.set(2, round, 1);
    if (round >= 100) table.delete(2, round - 100);
  }
  expect(table.size).toBe(100);
  expect(table.get(2, -1)).toBe(-1);
  expect([...table.entries()]).toHaveLength(100);
});

const find = (sources: Sources, ip: string, port = 1): number => sources.find(sockaddr({ ip, port }), 0);
const vteps = (...ips: readonly string[]): Vtep[] => ips.map((ip) => ({ ip, port: 4789 }));

describe('sources', () => {
  test('are told apart by all of their address, and by no port', () => {
    const six = Array.from({ length: 300 }, (_, index) => `2001:db8:0:${index.toString(16)}::1`);
    const four = Array.from({ length: 300 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
    const all = [...six, ...four];
    const sources = new Sources(vteps(...all));
    expect(all.map((ip, index) => find(sources, ip, index))).toEqual(all.map((_, index) => index));
    expect(['2001:db8:1::1', '::1', '10.0.9.9'].map((ip) => find(sources, ip))).toEqual([-1, -1, -1]);
  });
  test('whose keys are the same are told apart: their words swapped, and the next key taken', () => {
    const same = ['2001:db8::5:6:0:7', '5:6::2001:db8:0:7', '2001:db8::5:6:0:8', '5:6::2001:db8:0:8'];
    for (const order of [same, same.toReversed()]) {
      const sources = new Sources(vteps(...order));
      expect(order.map((ip) => find(sources, ip))).toEqual([0, 1, 2, 3]);
      expect(find(sources, '2001:db8::5:6:0:9')).toBe(-1);
    }
  });
  test('of no family that is known', () => {
    const sources = new Sources(vteps('0.0.0.0', '::'));
    expect(sources.find(new Uint8Array(28), 0)).toBe(-1);
    expect(sources.find(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 0)).toBe(-1);
  });
  test('with holes; of one address the first stands for all', () => {
    const shared = { ip: '10.0.0.1', port: 2 };
    const sources = new Sources([undefined, { ip: '10.0.0.1', port: 1 }, undefined, shared]);
    expect(find(sources, '10.0.0.1')).toBe(1);
    expect([sources.standsFor(1), sources.standsFor(3)]).toEqual([1, 1]);
  });
});

const vtep = (host: number): Vtep => ({ ip: `10.0.${host >> 8}.${host & 255}`, port: 4789 });

describe('an address book', () => {
  test('keeps numbers, gives none twice, and lets one rest for a state before it is given again', () => {
    fc.assert(
      fc.property(fc.array(fc.uniqueArray(fc.nat(20)), { maxLength: 20 }), (states) => {
        const book = new AddressBook();
        let before = new Map<string, number>();
        let gone = new Set<number>();
        for (const hosts of states) {
          const numbers = book.assign(hosts.map((host) => vtep(host)));
          expect(numbers.size).toBe(hosts.length);
          expect(new Set(numbers.values()).size).toBe(hosts.length);
          for (const [key, number] of numbers) {
            const old = before.get(key);
            if (old !== undefined) expect(number).toBe(old);
            else expect(gone.has(number) || [...before.values()].includes(number)).toBe(false);
          }
          gone = new Set([...before].filter(([key]) => !numbers.has(key)).map(([, number]) => number));
          before = new Map(numbers);
        }
      }),
      RUNS,
    );
  });
  test('has an end', () => {
    const all = Array.from({ length: PEERS_MAX }, (_, host) => vtep(host));
    const book = new AddressBook();
    expect(book.assign(all).get(vtepKey(vtep(PEERS_MAX - 1)))).toBe(PEERS_MAX - 1);
    expect(() => book.assign([...all, vtep(PEERS_MAX)])).toThrow('more than 4096 VTEPs');
    expect(book.assign(all).size).toBe(PEERS_MAX);
  });
});

test('a storm limit is a bucket of one second, and no limit is none', () => {
  const limit = new StormLimit(3);
  const burst = (): number => Array.from({ length: 10 }, () => limit.admits()).filter(Boolean).length;
  expect(burst()).toBe(3);
  limit.tick(400);
  expect(burst()).toBe(1);
  limit.tick(100_000);
  expect(burst()).toBe(3);
  const none = new StormLimit(null);
  expect(Array.from({ length: 1000 }, () => none.admits()).every(Boolean)).toBe(true);
  expect(new StormLimit(0).admits()).toBe(false);
});
