import { expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BurstStore } from '../../src/peers/burst-store.ts';
import { openStore } from '../../src/store/store.ts';
import { record } from './support/peers.ts';
import { MemoryStore } from './support/peer-store.ts';
import { vni } from './support/values.ts';

/** Longer than what comes is gathered for. */
const GATHERED_MS = 300;

type Setup = { store: BurstStore; behind: MemoryStore; bursts: () => number; troubles: unknown[] };

function burstStore(fails: () => boolean = () => false): Setup {
  const behind = new MemoryStore();
  const troubles: unknown[] = [];
  let bursts = 0;
  const transaction = (writes: () => void): void => {
    bursts += 1;
    if (fails()) throw new Error('disk full');
    writes();
  };
  const store = new BurstStore({ store: behind, transaction, onTrouble: (error) => void troubles.push(error) });
  return { store, behind, bursts: () => bursts, troubles };
}

test('what comes after a pause is written at once, and what comes within a quarter of a second after it in one go', async () => {
  const { store, behind, bursts } = burstStore();
  store.saveFloor('alive', 1, 1);
  await sleep(10);
  expect([bursts(), behind.floors.size]).toEqual([1, 1]);
  for (let n = 1; n <= 100; n += 1) {
    store.saveRecord(record({ vni: vni(n) }));
    store.saveFloor(`vni/${n}`, 1, n);
    if (n === 50) await sleep(20);
  }
  expect(bursts()).toBe(1);
  await sleep(GATHERED_MS);
  expect([bursts(), behind.records.size, behind.floors.size]).toEqual([2, 100, 101]);
});

test('a disk that is full is told once, and so is that it takes what comes again', async () => {
  let full = true;
  const { store, behind, troubles } = burstStore(() => full);
  for (let n = 1; n <= 3; n += 1) {
    if (n === 3) full = false;
    store.saveFloor('key', 1, n);
    await sleep(GATHERED_MS);
  }
  expect(troubles).toEqual([new Error('disk full'), undefined]);
  expect(behind.floors.get('key')).toEqual({ key: 'key', epoch: 1, seq: 3 });
});

test('what waits is on the disk after a flush', () => {
  const folder = mkdtempSync(join(tmpdir(), 'linkspan-burst-'));
  const path = join(folder, 'state.db');
  const log = { warn: () => undefined };
  const behind = openStore(path, log);
  const transaction = (writes: () => void): void => behind.transaction(writes);
  const store = new BurstStore({ store: behind.peers, transaction, onTrouble: () => undefined });
  store.saveRecord(record());
  store.flush();
  behind.close();
  const again = openStore(path, log);
  expect(again.peers.loadRecords()).toHaveLength(1);
  again.close();
  rmSync(folder, { recursive: true });
});
