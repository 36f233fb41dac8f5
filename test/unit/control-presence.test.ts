import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { startBroker } from '../../src/control/broker.ts';
import { Epoch, type EpochStore } from '../../src/control/session/epoch.ts';
import { Presence } from '../../src/control/session/presence.ts';
import { encodeAlive } from '../../src/peers/alive.ts';
import { PeerDirectory } from '../../src/peers/directory.ts';
import { systemClock as clock } from '../../src/service/clock.ts';
import { openGate } from './support/trust.ts';

const NAMES = { fleet: 'plant', gateway: 'gw-a' } as const;
const ALIVE = 'linkspan/v1/plant/gw/gw-a/alive';
const REPORTED = 'linkspan/v1/plant/gw/gw-a/reported';
const none = (): never[] => [];
const nothing = (): void => undefined;
const cleanups: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !holds(); await sleep(10)) {
    if (performance.now() > end) throw new Error(`not within 10 s: ${what}`);
  }
}

const aliveOf = (epoch: number): Buffer =>
  encodeAlive({ v: 1, gw: 'gw-a', epoch, seq: 1, state: 'up', vteps: [], vnis: {} });

/** An epoch that begins at 1, in a store that takes no other where `full`. */
function epochOf(events: string[], full = false): Epoch {
  const store: EpochStore = {
    bumpEpoch: () => 1,
    raiseEpoch: (atLeast) => {
      if (full) throw new Error('disk I/O error');
      return atLeast;
    },
  };
  return new Epoch(store, '/state.db', (type, level, message) => void events.push(`${level} ${type}: ${message}`));
}

function presenceOf(epoch: Epoch, events: string[]): Presence {
  const onEvent = (type: string): void => void events.push(type);
  const saves = {
    saveRecord: nothing,
    removeRecord: nothing,
    saveFloor: nothing,
    saveAlive: nothing,
    removeAlive: nothing,
  };
  const store = { ...saves, loadRecords: none, loadFloors: none, loadAlives: none };
  const presence = new Presence({
    ...NAMES,
    mqtt: { url: '', backoffMs: [10, 50] },
    epoch,
    directory: new PeerDirectory({ ...NAMES, store, clock, onEvent }),
    trust: openGate(),
    clock,
    local: () => ({ vteps: [], networks: [] }),
    reported: () => Buffer.from(`epoch ${epoch.current}`),
    onRequest: () => Promise.resolve(undefined),
    onDesired: nothing,
    onEvent,
    clockIsRight: () => false,
  });
  cleanups.push(() => presence.stop());
  return presence;
}

test('goes beyond the epoch that the fleet knows once, and then yields the name to whoever is ahead of it', async () => {
  const broker = await startBroker('127.0.0.1:0');
  cleanups.push(() => broker.close());
  const other = await connectAsync(broker.url);
  cleanups.push(() => other.endAsync());
  const reports: string[] = [];
  other.on('message', (_topic, payload) => void reports.push(payload.toString()));
  await other.subscribeAsync(REPORTED);
  await other.publishAsync(ALIVE, aliveOf(7), { retain: true, qos: 1 });
  const events: string[] = [];
  const epoch = epochOf(events);
  const presence = presenceOf(epoch, events);
  expect(presence.broker).toEqual({ connected: false, url: '' });

  presence.start({ url: broker.url });
  await until('a report under the new epoch', () => reports.length > 0);
  expect(reports).toEqual(['epoch 8']);
  expect(presence.broker).toEqual({ connected: true, url: broker.url });
  expect(events).toEqual(['epoch.raised']);

  await other.publishAsync(ALIVE, aliveOf(20), { retain: true, qos: 1 });
  await until('the name to be yielded', () => events.length > 1);
  expect(events).toEqual(['epoch.raised', 'gateway.duplicate']);
  expect(presence.broker.connected).toBe(false);
  expect(epoch.current).toBe(8);
});

test('an epoch that cannot be stored holds for this run', () => {
  const events: string[] = [];
  const epoch = epochOf(events, true);
  expect(epoch.current).toBe(1);
  epoch.raise(8);
  expect(epoch.current).toBe(8);
  expect(events).toEqual(['error state.unwritable: /state.db: disk I/O error; free some space or mend the file']);
});
