import { beforeEach, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Documents } from '../../src/control/documents/documents.ts';
import type { Problem } from '../../src/model/problem.ts';
import type { DocumentRepository } from '../../src/store/documents.ts';
import { document, type Json, overlay } from './support/documents.ts';
import { bytes, documentsOn, memoryDocuments } from './support/gateway.ts';

const of = (version: number, networks: Json = {}): Uint8Array => bytes(document(networks, {}, version));
const FAILED: Problem = { path: '', code: 'failed', message: 'network/a: busy' };
const WAITING: Problem = { path: '', code: 'waiting', message: 'network/a: unplugged' };

let store: DocumentRepository;
let documents: Documents;
let told: string[];

beforeEach(() => {
  store = memoryDocuments();
  ({ documents, told } = documentsOn(store));
});

test('a full disk ends no cycle: what it keeps from being written is told once, and written at a later one', () => {
  let isFull = true;
  const markApplied = (version: number): void => {
    if (isFull) throw new Error('database or disk is full');
    store.markApplied(version);
  };
  ({ documents, told } = documentsOn({ ...store, markApplied }));
  documents.submit(of(1), 'mqtt');
  documents.settled([]);
  documents.settled([]);
  const unsaved = (): readonly string[] => told.filter((line) => line.startsWith('config.unsaved'));
  expect([unsaved().length, documents.status.lkg_version]).toEqual([1, null]);
  isFull = false;
  documents.settled([]);
  expect(documents.status).toMatchObject({ state: 'applied', lkg_version: 1 });
  isFull = true;
  documents.settled([]);
  expect(unsaved()).toHaveLength(2);
});

describe('a document that is sent', () => {
  test('is on the disk before anybody hears of it', () => {
    const stored: number[] = [];
    const watching = documentsOn({
      ...store,
      accept: (accepted, trial) => {
        store.accept(accepted, trial);
        stored.push(watching.told.length);
      },
    });
    expect(watching.documents.submit(of(1, { a: overlay(5) }), 'mqtt')).toEqual({ accepted: true, version: 1 });
    expect(stored).toEqual([0]);
    expect(watching.told).toEqual([
      'status',
      'config.received info: document version 1 accepted; it has to prove itself',
      'accepted',
    ]);
    expect(store.current()).toMatchObject({ version: 1, body: new TextDecoder().decode(of(1, { a: overlay(5) })) });
    expect(watching.documents.desired.networks).toMatchObject([{ name: 'a' }]);
  });

  test('is applied once nothing of it fails; waiting is not failing', () => {
    documents.submit(of(1), 'mqtt');
    expect(documents.status).toMatchObject({ state: 'applying', applied_version: null, lkg_version: null });
    documents.settled([WAITING, FAILED]);
    expect(documents.status).toMatchObject({ state: 'applying', errors: [WAITING, FAILED] });
    expect(store.lastKnownGood()).toBeUndefined();
    documents.settled([WAITING]);
    expect(documents.status).toMatchObject({ state: 'applied', applied_version: 1, lkg_version: 1, errors: [WAITING] });
    expect([store.lastKnownGood()?.version, documents.status.applied_hash]).toEqual([1, store.current()?.hash]);
  });

  test('again changes nothing and tells nobody', () => {
    documents.submit(of(1), 'mqtt');
    documents.settled([]);
    told.length = 0;
    expect(documents.submit(of(1), 'mqtt')).toEqual({ accepted: true, version: 1 });
    documents.settled([]);
    expect([told, store.history(9).length]).toEqual([[], 1]);
  });
});

describe('a document that is refused', () => {
  test.each<[string, Uint8Array, string, string]>([
    ['older', of(6), 'version_old', 'version 6 is older than 7, which runs; give it version 8 or higher'],
    ['changed without a new version', of(7, { a: overlay(5) }), 'version_conflict', 'give it version 8 or higher'],
    ['invalid', of(8, { a: overlay(0) }), 'vni_range', 'from 1 to 16777215'],
    ['for another gateway', bytes({ v: 1, version: 8, gateway: 'gw-b', spec: {} }), 'wrong_gateway', 'gw-b'],
    ['no document', new Uint8Array([0xff, 0, 0x0a]), 'malformed', ''],
    ['empty', new Uint8Array(), 'malformed', ''],
    ['far too large', new Uint8Array(10_000_000), 'too_large', ''],
  ])('changes only the report: %s', (_, sent, code, message) => {
    documents.submit(of(7), 'mqtt');
    documents.settled([]);
    const { desired } = documents;
    told.length = 0;
    expect(documents.validate(sent)).toMatchObject([{ code, message: expect.stringContaining(message) }]);
    expect([told, documents.status.state]).toEqual([[], 'applied']);
    expect(documents.submit(sent, 'mqtt')).toMatchObject({ accepted: false, problems: [{ code }] });
    expect(documents.desired).toBe(desired);
    expect(store.history(9)).toHaveLength(1);
    expect(documents.status).toMatchObject({
      state: 'rejected',
      applied_version: 7,
      lkg_version: 7,
      errors: [{ code }],
    });
    expect(told).toEqual(['config.rejected warning: ' + told[0]?.split(': ').slice(1).join(': '), 'status']);
  });

  test('is told once: a broker that still retains an earlier one tells nothing new', () => {
    for (const version of [6, 7]) {
      documents.submit(of(version), version === 6 ? 'mqtt' : 'cli');
      documents.settled([]);
    }
    told.length = 0;
    expect(documents.submit(of(6), 'mqtt')).toMatchObject({ accepted: false, problems: [{ code: 'version_old' }] });
    expect([told, documents.status.state]).toEqual([[], 'applied']);
    expect(documents.submit(of(6, { a: overlay(5) }), 'mqtt')).toMatchObject({ accepted: false });
    expect(documents.status).toMatchObject({ state: 'rejected', errors: [{ code: 'version_old' }] });
  });

  test('stays in the report while the old one goes on, until that is sent again', () => {
    documents.submit(of(7), 'mqtt');
    documents.settled([]);
    documents.submit(of(3), 'mqtt');
    documents.settled([WAITING]);
    expect(documents.status).toMatchObject({ state: 'rejected', errors: [{ code: 'version_old' }] });
    documents.settled([FAILED]);
    expect(documents.status).toMatchObject({ state: 'rejected', errors: [{ code: 'version_old' }] });
    told.length = 0;
    expect(documents.submit(of(7), 'mqtt')).toEqual({ accepted: true, version: 7 });
    expect(told).toEqual(['status', 'accepted']);
    documents.settled([]);
    expect(documents.status).toMatchObject({ state: 'applied', errors: [] });
  });

  test('while the first one is still applied does not keep that from being applied', () => {
    documents.submit(of(7), 'mqtt');
    documents.submit(of(3), 'mqtt');
    documents.settled([]);
    expect([store.lastKnownGood()?.version, documents.status.state]).toEqual([7, 'rejected']);
  });

  test('versions only ever rise, whatever is sent in whatever order', () => {
    const sent = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom(5, 6)), { maxLength: 20 });
    fc.assert(
      fc.property(sent, (all) => {
        const memory = memoryDocuments();
        const { documents: fresh } = documentsOn(memory);
        for (const [version, vni] of all) fresh.submit(of(version, { a: overlay(vni) }), 'mqtt');
        const versions = memory
          .history(99)
          .map(({ version }) => version)
          .toReversed();
        expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
      }),
      { numRuns: 200, seed: 20_261_124 },
    );
  });
});

describe('after a restart', () => {
  test('the newest accepted document goes on, applied or not', () => {
    documents.submit(of(1, { a: overlay(5) }), 'mqtt');
    documents.settled([]);
    documents.submit(of(2, { b: overlay(6) }), 'mqtt');
    const again = documentsOn(store).documents;
    expect(again.desired.networks).toMatchObject([{ name: 'b' }]);
    expect(again.status).toMatchObject({ state: 'applying', applied_version: 1, lkg_version: 1 });
    expect(again.submit(of(1), 'mqtt')).toMatchObject({ accepted: false });
  });

  test('the last known good stands in for one that cannot be read, and that is told', () => {
    documents.submit(of(1, { a: overlay(5) }), 'mqtt');
    documents.settled([]);
    store.accept({ version: 2, hash: 'x', body: '{"v":1,\u0000', source: 'mqtt' });
    const again = documentsOn(store);
    expect(again.documents.desired.networks).toMatchObject([{ name: 'a' }]);
    expect(again.told[0]).toMatch(/^config.unreadable error: stored document 2 cannot be used: /);
  });

  test('nothing is wanted where nothing was stored or nothing can be read', () => {
    expect([documents.desired, documents.status.state]).toEqual([{ uplinks: [], networks: [], endpoints: [] }, 'none']);
    documents.settled([FAILED]);
    expect([told, documents.status.state]).toEqual([[], 'none']);
    store.accept({ version: 2, hash: 'x', body: '', source: 'mqtt' });
    expect(documentsOn(store).documents.status.state).toBe('none');
  });
});
