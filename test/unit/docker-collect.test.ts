import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Container } from '../../src/docker/container.ts';
import { Collector } from '../../src/docker/collect.ts';
import type { DockerContext } from '../../src/docker/context.ts';
import type { Records } from '../../src/docker/records.ts';
import type { DockerEndpoint, DockerNetwork } from '../../src/model/docker.ts';
import { NOTHING_DESIRED } from '../../src/model/network.ts';
import { mac } from './support/values.ts';

function recordsOf<T extends { readonly id: string }>(...all: readonly T[]): Records<T> {
  const rows = new Map(all.map((record) => [record.id, record]));
  return {
    list: () => [...rows.values()],
    get: (id) => rows.get(id),
    put: (record) => void rows.set(record.id, record),
    remove: (id) => void rows.delete(id),
  };
}

const NETWORK: DockerNetwork = { id: 'net1', prefix: 'eth', joins: 'line1' };
const endpoint: DockerEndpoint = {
  id: 'ep1',
  network: 'net1',
  mac: mac('02:00:00:00:00:01'),
  addresses: [],
  foreign: [],
  publish: [],
};
const KNOWN = [{ id: 'net1', addresses: ['10.0.0.1'] }];
const owner: Container = {
  id: 'c1',
  name: 'hmi',
  sandbox: '/run/docker/netns/c1',
  onHost: false,
  endpoints: new Map([['ep1', ['hmi']]]),
  addresses: ['10.0.0.2'],
};
let held: readonly string[];

let context: DockerContext;
let collector: Collector;
const left = (): readonly string[] =>
  [...context.records.networks.list(), ...context.records.endpoints.list()].map(({ id }) => id);

function nothing(): void {}

beforeEach(() => {
  context = {
    gateway: 'gw-a',
    records: { networks: recordsOf(NETWORK), endpoints: recordsOf(endpoint) },
    document: () => NOTHING_DESIRED,
    view: () => undefined,
    remoteAddresses: () => new Set(),
    settled: () => Promise.resolve(),
    wake: nothing,
    glance: nothing,
    lease: () => Promise.reject(new Error('no server')),
    releaseLease: () => Promise.resolve(),
    log: nothing,
  };
  held = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'];
  collector = new Collector(context, {
    list: () => held.map((address) => ({ pool: 'p', address })),
    remove: (pool, address) => {
      if (pool === 'p') held = held.filter((one) => one !== address);
    },
  });
});

describe('what Docker never gave back', () => {
  test('an endpoint that no container has is forgotten after a minute, and not before', async () => {
    await collector.collect([], KNOWN, 0);
    await collector.collect([], KNOWN, 59_999);
    expect(left()).toEqual(['net1', 'ep1']);
    await collector.collect([], KNOWN, 60_000);
    expect(left()).toEqual(['net1']);
  });

  test('a network that the engine does not list is forgotten after a minute, with what was on it', async () => {
    await collector.collect([owner], [], 0);
    await collector.collect([owner], [], 59_999);
    expect(left()).toEqual(['net1', 'ep1']);
    await collector.collect([owner], [], 60_000);
    expect(left()).toEqual([]);
  });

  test('what was seen in between starts anew', async () => {
    await collector.collect([], [], 0);
    await collector.collect([owner], KNOWN, 30_000);
    await collector.collect([], [], 60_000);
    expect(left()).toEqual(['net1', 'ep1']);
  });

  test('an address that nobody has is free again after a minute: no container, no router, no endpoint of ours', async () => {
    context.records.endpoints.put({ ...endpoint, addresses: [{ family: 4, address: '10.0.0.4', length: 24 }] });
    await collector.collect([owner], KNOWN, 0);
    await collector.collect([owner], KNOWN, 59_999);
    expect(held).toContain('10.0.0.3');
    await collector.collect([owner], KNOWN, 60_000);
    expect(held).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.4']);
  });

  test('an endpoint whose sandbox is gone is forgotten at once', async () => {
    context.records.endpoints.put({ ...endpoint, sandbox: '/nowhere/c1', interface: 'eth0' });
    await collector.collect([], KNOWN, 0);
    expect(left()).toEqual(['net1']);
  });
});
