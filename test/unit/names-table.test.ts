import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { dnsName } from '../../src/model/dns-name.ts';
import { addressOfReverse } from '../../src/names/reverse.ts';
import { indexNetwork, NameTable, type NetworkNames } from '../../src/names/table.ts';

const LINE: NetworkNames = {
  network: 'line1',
  local: [
    { names: ['app', 'shared'], addresses: ['10.0.0.1', 'fd00::1'] },
    { names: ['PLC.Hall'], addresses: ['10.0.0.2'] },
  ],
  remote: [
    { names: ['db', 'store', 'shared'], addresses: ['10.0.0.21'] },
    { names: ['second', 'store'], addresses: ['10.0.0.22'] },
    { names: ['silent'], addresses: [] },
  ],
};
const CELL: NetworkNames = {
  network: 'cell',
  local: [
    { names: ['db'], addresses: ['172.30.0.5'] },
    { names: ['app'], addresses: ['172.30.0.6'] },
  ],
  remote: [],
};
const tableOf = (...networks: readonly NetworkNames[]): NameTable =>
  new NameTable(networks.map((network) => indexNetwork(network)));
const addresses = (table: NameTable, name: string): readonly string[] | undefined => {
  const found = table.find(name);
  return found?.kind === 'addresses' ? found.addresses : undefined;
};

describe('name table', () => {
  const both = tableOf(LINE, CELL);

  test.each([
    ['db', ['172.30.0.5'], 'one of this gateway comes before one elsewhere, on whichever network'],
    ['db.line1', ['10.0.0.21'], 'unless the network is named'],
    ['DB.Line1', ['10.0.0.21'], 'case is nothing'],
    ['app', ['10.0.0.1', 'fd00::1'], 'of two local ones that of the first network'],
    ['shared', ['10.0.0.1', 'fd00::1'], 'and local before remote on one network'],
    ['store', ['10.0.0.21', '10.0.0.22'], 'an alias of several is all of them'],
    ['plc.hall', ['10.0.0.2'], 'a name with a dot'],
    ['plc.hall.line1', ['10.0.0.2'], 'and with its network'],
    ['silent', [], 'a name without an address is a name all the same'],
  ])('%s is %j: %s', (name, expected) => {
    expect(addresses(both, name)).toEqual(expected);
  });

  test.each(['nobody', 'db.nowhere', 'line1', '.line1', '', 'db.cell.line1', 'constructor', '__proto__'])(
    '%s is no name of ours',
    (name) => expect(both.find(name)).toBeUndefined(),
  );

  test('another workload’s table has its own networks only', () => {
    expect(addresses(tableOf(CELL), 'store')).toBeUndefined();
    expect(tableOf(CELL).find('21.0.0.10.in-addr.arpa')).toBeUndefined();
  });

  test('reverse: the first name with its network', () => {
    expect(both.find('21.0.0.10.IN-ADDR.arpa')).toEqual({ kind: 'pointer', name: 'db.line1' });
    expect(both.find('6.0.30.172.in-addr.arpa')).toEqual({ kind: 'pointer', name: 'app.cell' });
    const nibbles = `1.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`;
    expect(both.find(nibbles)).toEqual({ kind: 'pointer', name: 'app.line1' });
    expect(both.find('99.0.0.10.in-addr.arpa')).toBeUndefined();
  });

  test('any text may be asked for', () => {
    fc.assert(fc.property(fc.string(), (name) => void both.find(name)));
  });
});

test.each(['1.2.3.in-addr.arpa', '256.0.0.10.in-addr.arpa', '1.2.ip6.arpa', 'x.in-addr.arpa', 'in-addr.arpa'])(
  '%s asks for no address',
  (name) => expect(addressOfReverse(name)).toBeUndefined(),
);

test.each([
  ['Historian_1', 'historian_1'],
  ['a.b', 'a.b'],
  ['a'.repeat(63), 'a'.repeat(63)],
  ['a'.repeat(64), undefined],
  [`${'a.'.repeat(126)}ab`, undefined],
  ['a..b', undefined],
  ['a.', undefined],
  ['', undefined],
  ['a b', undefined],
  ['ä', undefined],
  ['a\n', undefined],
])('dnsName of %j is %j', (text, name) => expect(dnsName(text)).toBe(name));
