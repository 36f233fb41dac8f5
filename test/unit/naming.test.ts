import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { endpointAlias, isDigest, linkName, networkAlias, splitAlias, withMemo } from '../../src/drivers/naming.ts';

const PREFIXES = ['lsx', 'lsu', 'lsb', 'lss', 'lsp', 'lst'] as const;
const RUNS = { numRuns: 2000, seed: 20_261_124 };
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,62}$/);
const workload = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/);
const long = (letter: string): string => letter.repeat(63);

describe('the name of a link', () => {
  test('is one that Linux takes, whatever the name of the network and the workload', () => {
    fc.assert(
      fc.property(name, workload, fc.constantFrom(...PREFIXES), (network, work, prefix) => {
        for (const key of [network, `${work}/${network}`]) {
          expect(linkName(prefix, key)).toMatch(/^ls[xubspt]-[A-Za-z0-9_.-]{1,11}$/);
        }
      }),
      RUNS,
    );
  });

  test('is the name itself where that fits', () => {
    expect(linkName('lsx', 'line1')).toBe('lsx-line1');
    expect(linkName('lsx', 'a-line-of-1')).toBe('lsx-a-line-of-1');
    expect(linkName('lsx', 'a-line-of-12')).not.toContain('a-line');
  });

  test('stays what it was in earlier versions, so that a restart adopts what stands', () => {
    expect(linkName('lsb', 'the-first-assembly-line')).toBe('lsb-the-fa2ef7a');
    expect(linkName('lsp', 'plc/line1')).toBe('lsp-plclic23119');
  });

  test('differs for 2000 names that begin alike, and for swapped ones', () => {
    const keys = Array.from({ length: 2000 }, (_, n) => `container-of-the-plant-${n}`);
    expect(new Set(keys.map((key) => linkName('lsb', key))).size).toBe(keys.length);
    expect(linkName('lsp', 'ab/c')).not.toBe(linkName('lsp', 'a/bc'));
    expect(linkName('lsp', 'a/b')).not.toBe(linkName('lsp', 'b/a'));
  });
});

describe('the memo in an alias', () => {
  const item = fc.oneof(
    fc.ipV4().map((address) => `${address}/24`),
    fc.ipV6().map((address) => `via ${address}`),
    fc.string({ minLength: 1 }).filter((text) => !text.includes(',')),
    fc.constantFrom('\n', '"', "'; ip link del eth0", '\u0000', ' ', '  via', 'x'.repeat(40)),
  );

  test('comes back as it was, with the alias that it was given to', () => {
    fc.assert(
      fc.property(name, workload, name, fc.array(item, { maxLength: 4 }), (gateway, work, network, memo) => {
        const alias = endpointAlias(gateway, work, network);
        const back = splitAlias(withMemo(alias, memo));
        expect(back.alias).toBe(alias);
        if (!isDigest(back.memo)) expect(back.memo).toEqual(memo);
      }),
      RUNS,
    );
  });

  test('is whole up to the 255 characters that the kernel keeps, and a digest beyond', () => {
    const alias = endpointAlias(long('g'), long('w'), long('n'));
    const room = 255 - alias.length - 1;
    expect(withMemo(alias, ['a'.repeat(room)])).toBe(`${alias} ${'a'.repeat(room)}`);
    const [one, two] = [withMemo(alias, ['a'.repeat(room + 1)]), withMemo(alias, ['b'.repeat(room + 1)])];
    expect(isDigest(splitAlias(one).memo)).toBe(true);
    expect(one.length).toBeLessThanOrEqual(255);
    expect(one).not.toBe(two);
    expect(one).toBe(withMemo(alias, ['a'.repeat(room + 1)]));
  });

  test('leaves no trace where nothing was set', () => {
    expect(withMemo('linkspan:g:endpoint/w/n', [])).toBe('linkspan:g:endpoint/w/n');
    expect(splitAlias('linkspan:g:endpoint/w/n')).toEqual({ alias: 'linkspan:g:endpoint/w/n', memo: [] });
    expect(splitAlias('')).toEqual({ alias: '', memo: [] });
  });

  test.each(['\n', 'eth0\n 1,2', ' ', ',,,', `"${'x'.repeat(255)}"`])(
    'a foreign alias is read without fuss: %j',
    (text) => {
      const { alias, memo } = splitAlias(text);
      expect([alias, ...(memo.length > 0 ? [memo.join()] : [])].join(' ').trim()).toBe(text.trim());
    },
  );

  test('aliases of networks and endpoints are never the same', () => {
    expect(networkAlias('g', 'line1', 'vxlan')).toBe('linkspan:g:network/line1/vxlan');
    expect(endpointAlias('g', 'line1', 'vxlan')).toBe('linkspan:g:endpoint/line1/vxlan');
  });
});
