import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { pickAddress } from '../../src/ipam/pool.ts';
import { contains, ipFromNumber, networkOf, parseIpPrefix, rangeOf } from '../../src/model/ip.ts';
import type { IpPrefix } from '../../src/model/ip.ts';

function prefix(text: string): IpPrefix {
  const parsed = parseIpPrefix(text);
  if (!parsed) throw new Error(`not a prefix: ${text}`);
  return parsed;
}

function pick(key: string): string | undefined {
  return pickAddress({ pool: prefix('10.0.0.0/16'), subnet: prefix('10.0.0.0/16'), taken: new Set(), key })?.address;
}

function pickAll(pool: string, subnet: string): string[] {
  const taken = new Set<string>();
  for (let count = 0; count < 300; count += 1) {
    const found = pickAddress({ pool: prefix(pool), subnet: prefix(subnet), taken, key: 'gw/w/n' });
    if (!found) break;
    taken.add(found.address);
  }
  return [...taken].sort();
}

describe('pickAddress', () => {
  test.each([
    ['10.0.0.0/29', '10.0.0.0/29', ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']],
    ['10.0.0.4/30', '10.0.0.0/24', ['10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.7']],
    ['10.0.0.252/30', '10.0.0.0/24', ['10.0.0.252', '10.0.0.253', '10.0.0.254']],
    ['10.0.0.0/31', '10.0.0.0/31', ['10.0.0.0', '10.0.0.1']],
    ['10.0.0.9/32', '10.0.0.0/24', ['10.0.0.9']],
    ['fd00::/126', 'fd00::/126', ['fd00::1', 'fd00::2', 'fd00::3']],
    ['fd00::/127', 'fd00::/127', ['fd00::', 'fd00::1']],
    ['10.9.0.0/30', '10.0.0.0/24', []],
    ['fd00::/126', '10.0.0.0/24', []],
  ])('%s in %s gives each usable address once', (pool, subnet, expected) => {
    expect(pickAll(pool, subnet)).toEqual(expected);
  });

  test('a whole /24 has 254 addresses', () => {
    expect(pickAll('10.0.0.0/24', '10.0.0.0/24')).toHaveLength(254);
  });

  test('carries the subnet’s prefix length, not the pool’s', () => {
    const found = pickAddress({
      pool: prefix('10.0.0.128/25'),
      subnet: prefix('10.0.0.0/16'),
      taken: new Set(),
      key: 'k',
    });
    expect(found).toMatchObject({ family: 4, length: 16 });
  });

  test('is the same for the same key and spreads for others', () => {
    expect(pick('gw-a/w/n')).toBe(pick('gw-a/w/n'));
    const many = new Set(Array.from({ length: 100 }, (_, index) => pick(`gw-${index}/w/n`)));
    expect(many.size).toBeGreaterThan(95);
  });

  test('a huge IPv6 pool: an address of its low 64 bits, at once', () => {
    const found = pickAddress({ pool: prefix('fd00::/8'), subnet: prefix('fd00::/8'), taken: new Set(), key: 'k' });
    expect(found && contains(prefix('fd00::/64'), found.address)).toBe(true);
  });

  test('never picks what is taken and gives up only when all are taken', () => {
    const pool = prefix('10.0.0.0/27');
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(31)), fc.string(), (offsets, key) => {
        const taken = new Set(offsets.map((offset) => ipFromNumber(rangeOf(pool).first + BigInt(offset), 4)));
        const found = pickAddress({ pool, subnet: networkOf(pool), taken, key });
        const left = 30 - offsets.filter((offset) => offset > 0 && offset < 31).length;
        return found ? !taken.has(found.address) : left === 0;
      }),
    );
  });
});
