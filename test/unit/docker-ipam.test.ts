import { beforeEach, describe, expect, test } from '@jest/globals';
import type { DockerContext } from '../../src/docker/context.ts';
import { type DockerAddresses, Ipam } from '../../src/docker/ipam.ts';
import { overlay } from './support/documents.ts';
import { desired } from './support/planning.ts';

type Row = { network: string; address: string; pool: string };

let rows: readonly Row[];
let ipam: Ipam;

beforeEach(() => {
  rows = [];
  const held: DockerAddresses = {
    list: (network) => rows.filter((row) => row.network === network),
    put: (row) => (rows = [...rows, row]),
    remove: (pool, address) => (rows = rows.filter((row) => row.pool !== pool || row.address !== address)),
    removePool: (pool) => (rows = rows.filter((row) => row.pool !== pool)),
  };
  const document = desired({ line1: overlay(10_110, { subnet: '10.110.0.0/24', range: '10.110.0.128/25' }) });
  const none = { list: () => [], get: () => undefined, put: () => {}, remove: () => {} };
  const context: DockerContext = {
    gateway: 'gw-a',
    records: { networks: none, endpoints: none },
    document: () => document,
    view: () => undefined,
    remoteAddresses: () => new Set(['10.110.0.65']),
    settled: () => Promise.resolve(),
    wake: () => {},
    glance: () => {},
    lease: () => Promise.reject(new Error('no server')),
    releaseLease: () => Promise.resolve(),
    log: () => {},
  };
  ipam = new Ipam(context, held);
});

const pool = (more: object = {}): string => ipam.requestPool({ Options: { network: 'line1' }, ...more }).PoolID;
const address = (PoolID: string, Address = ''): string => ipam.requestAddress({ PoolID, Address }).Address;
const last = (text: string): number => Number(/\.(\d+)\//.exec(text)?.[1]);

describe('a pool', () => {
  test('gives out addresses of its --ip-range only, until none is left, and each again once it is back', () => {
    const PoolID = pool({ SubPool: '10.110.0.64/30' });
    const given = [address(PoolID), address(PoolID), address(PoolID)];
    expect(given.map((one) => last(one)).toSorted((a, b) => a - b)).toEqual([64, 66, 67]);
    expect(() => address(PoolID)).toThrow('no free address left');
    ipam.releaseAddress({ PoolID, Address: '10.110.0.66' });
    expect(address(PoolID)).toBe('10.110.0.66/24');
    ipam.releasePool({ PoolID });
    expect(rows).toEqual([]);
  });

  test('without one is the network’s range; an address by name may be outside it, and is given once', () => {
    const PoolID = pool();
    expect(last(address(PoolID))).toBeGreaterThanOrEqual(128);
    expect(address(PoolID, '10.110.0.5')).toBe('10.110.0.5/24');
    for (const taken of ['10.110.0.5', '10.110.0.65']) expect(() => address(pool(), taken)).toThrow('is in use');
    for (const none of ['10.110.0.0', '10.110.0.255', '10.111.0.1', 'fd00::1']) {
      expect(() => address(PoolID, none)).toThrow('is none that a host may have');
    }
  });

  test('what cannot be is refused', () => {
    expect(() => pool({ SubPool: '10.111.0.0/25' })).toThrow('--ip-range 10.111.0.0/25');
    expect(() => pool({ SubPool: '10.110.0.0/16' })).toThrow('--ip-range 10.110.0.0/16');
    expect(() => pool({ Options: { network: 'line1', rnage: 'x' } })).toThrow('--ipam-opt rnage');
    expect(pool({ Options: { network: 'line1', 'com.docker.network.ipam.serial': 'true' } })).toMatch(/^line1\/4\//);
    for (const PoolID of ['', 'x', 'line1/5/0123456789abcdef', '../4/0123456789abcdef', 'line1/4/0123456789abcdef/9']) {
      expect(() => address(PoolID)).toThrow(/PoolID|not in this gateway/);
    }
  });
});
