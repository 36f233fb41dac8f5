import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { FirmwareWish } from '../../src/model/firmware.ts';
import { PEER } from './support/status.ts';
import { Machine } from './support/firmware.ts';

const URL = 'https://updates.example/linkspan.raucb';
const wish = (over: Partial<FirmwareWish> = {}): FirmwareWish => ({
  url: URL,
  version: '1.1.0',
  activate: 'manual',
  ...over,
});
const AT_ONCE = wish({ activate: 'at_once' });
let machine: Machine;

beforeEach(() => {
  jest.useFakeTimers();
  machine = new Machine();
  machine.bundles.set(URL, {});
});
afterEach(() => {
  machine.stop();
  jest.useRealTimers();
});

const settle = (ms = 0): Promise<void> => jest.advanceTimersByTimeAsync(ms);

/** A gateway on its way into 1.1.0, just restarted. */
async function activated(): Promise<ReturnType<Machine['start']>> {
  const before = machine.start();
  before.want(AT_ONCE);
  await settle(5000);
  expect([before.status.state, machine.restarts]).toEqual(['activating', 1]);
  return machine.restart();
}

describe('a firmware that was activated', () => {
  test('is kept once its judge says so', async () => {
    const firmware = await activated();
    expect(firmware.status).toMatchObject({ version: '1.1.0', slot: 'B', state: 'proving', target_version: '1.1.0' });
    machine.verdict = '{"slot":"A","result":"good"}';
    await settle(5000);
    expect(firmware.status.state).toBe('proving');
    machine.verdict = '{"slot":"B","result":"good"}';
    await settle(5000);
    expect(firmware.status).toMatchObject({ state: 'committed', error: null });
    expect(machine.told.at(-1)).toMatch(/^firmware.committed: /);
    const later = machine.restart();
    later.want(AT_ONCE);
    await settle();
    expect(later.status.state).toBe('committed');
    expect(machine.restarts).toBe(1);
  });

  test('is healthy when the broker and the peers are there again', async () => {
    machine.peers = [PEER, { ...PEER, gateway: 'gw-c' }, { ...PEER, gateway: 'gw-d', state: 'down' }];
    const firmware = await activated();
    expect(firmware.waitingFor).toEqual([]);
    machine.ready = false;
    machine.broker = false;
    machine.peers = [{ ...PEER, state: 'suspect' }];
    const waiting = ['the service to look at the host', 'the broker', 'peer gw-b', 'peer gw-c'];
    expect(firmware.waitingFor).toEqual(waiting);
    expect(firmware.status.waiting_for).toEqual(waiting);
  });

  test('leaves the other slot alone, which is its way back', async () => {
    const firmware = await activated();
    machine.bundles.set('/usb/x.raucb', { version: '1.2.0' });
    firmware.want({ ...AT_ONCE, version: '1.2.0' });
    await expect(firmware.install({ file: '/usb/x.raucb' }, true)).rejects.toMatchObject({ error: { code: 'busy' } });
    await settle(5000);
    expect(machine.done.filter((one) => one.startsWith('install'))).toHaveLength(1);
    machine.verdict = '{"slot":"B","result":"good"}';
    machine.bundles.set(URL, { version: '1.2.0' });
    await settle(5000);
    firmware.want({ ...AT_ONCE, version: '1.2.0' });
    await settle(5000);
    expect(machine.done.at(-1)).toBe('activate rootfs.0');
  });

  test('need not have a broker that was not there before', async () => {
    machine.broker = false;
    machine.peers = [];
    const firmware = await activated();
    expect(firmware.waitingFor).toEqual([]);
  });

  test('is not tried again after it was rolled back, and why is told', async () => {
    await activated();
    machine.verdict = '{"slot":"B","result":"bad","reason":"not healthy in 150 s","waiting_for":["peer gw-b"]}';
    const firmware = machine.restart('back');
    expect(machine.running.slot).toBe('B');
    // what the boot loader does: the other slot again
    machine.primary = 'A';
    const old = machine.restart();
    for (let n = 0; n < 3; n += 1) {
      machine.now += 1e9;
      old.want(AT_ONCE);
      await settle(5000);
    }
    expect(old.status).toMatchObject({ version: '1.0.0', slot: 'A', state: 'rolled_back', target_version: '1.1.0' });
    expect(old.status.error?.message).toContain('not healthy in 150 s: it waited for peer gw-b');
    expect(machine.restarts).toBe(1);
    expect(firmware.status.slot).toBe('B');
    expect(machine.told.filter((one) => one.startsWith('firmware.rolled_back'))).toHaveLength(1);
    await expect(old.activate(undefined)).rejects.toMatchObject({ error: { code: 'nothing_installed' } });
  });

  test('is tried again under another version, and by hand', async () => {
    await activated();
    machine.primary = 'A';
    let old = machine.restart();
    expect(old.status.error?.message).toContain('it did not come up');
    machine.bundles.set('/usb/x.raucb', {});
    await expect(old.install({ file: '/usb/x.raucb' }, false)).rejects.toMatchObject({
      error: { code: 'rolled_back' },
    });
    await old.install({ file: '/usb/x.raucb' }, true);
    await settle();
    expect(old.status.state).toBe('installed');
    machine.bundles.set(URL, { version: '1.2.0' });
    old = machine.start();
    old.want({ ...AT_ONCE, version: '1.2.0' });
    await settle(5000);
    expect(machine.restarts).toBe(2);
  });

  test('that the power left before the boot loader knew is activated again', async () => {
    machine.other = '1.1.0';
    const firmware = machine.start();
    await firmware.activate(undefined);
    machine.note = machine.note.replace('"activated"', '"activating"');
    machine.primary = 'A';
    const again = machine.restart();
    await settle();
    again.want(undefined);
    await settle();
    expect(again.status.state).toBe('installed');
    expect(machine.told.filter((one) => one.startsWith('firmware.rolled_back'))).toEqual([]);
  });

  test('is restarted into where the service ended before it could', async () => {
    machine.other = '1.1.0';
    await machine.start().activate(undefined);
    const again = machine.start();
    expect(again.status.state).toBe('activating');
    await settle(5000);
    expect(machine.restarts).toBe(1);
  });

  test('that the boot loader gives up later is not gone back into by itself', async () => {
    await activated();
    machine.verdict = '{"slot":"B","result":"good"}';
    await settle(5000);
    machine.primary = 'A';
    const old = machine.restart();
    old.want(AT_ONCE);
    await settle(5000);
    expect(old.status.state).toBe('rolled_back');
    expect(machine.restarts).toBe(1);
  });
});
