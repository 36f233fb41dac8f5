import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { FirmwareWish } from '../../src/model/firmware.ts';
import { PEER } from './support/status.ts';
import { Machine, noteOf } from './support/firmware.ts';

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

describe('a document’s firmware', () => {
  test('is fetched, installed, and waits for its activation', async () => {
    const firmware = machine.start();
    firmware.want(wish());
    expect(firmware.status).toMatchObject({ version: '1.0.0', slot: 'A', state: 'idle' });
    await settle();
    expect(firmware.status).toMatchObject({ state: 'installed', target_version: '1.1.0', error: null, progress: null });
    expect(machine.done).toEqual([`keep ${URL}`, `fetch ${URL}`, `install ${URL}`, 'clear']);
    expect(machine.told).toEqual([expect.stringMatching(/^firmware.installed: /)]);
    firmware.want(wish());
    await settle(10_000);
    expect([machine.restarts, machine.done.length]).toEqual([0, 4]);
    expect(await firmware.activate('1.1.0')).toBe('1.1.0');
    await settle(5000);
    expect(machine).toMatchObject({ restarts: 1, primary: 'B', kept: 1 });
  });

  test('says how far it is', async () => {
    const download = Promise.withResolvers<void>();
    machine.gate = download.promise;
    const firmware = machine.start();
    firmware.want(wish());
    await settle();
    expect(firmware.status).toMatchObject({ state: 'downloading', progress: 50, target_version: '1.1.0' });
    await expect(firmware.activate(undefined)).rejects.toThrow('wait for its end');
    const installation = Promise.withResolvers<void>();
    machine.gate = installation.promise;
    download.resolve();
    await settle();
    expect(firmware.status).toMatchObject({ state: 'installing', progress: 46 });
    await expect(firmware.install({ file: '/x' }, false)).rejects.toMatchObject({ error: { code: 'busy' } });
    installation.resolve();
    await settle();
    expect(firmware.status.state).toBe('installed');
  });

  test('that runs already, or is in the other slot, is not fetched', async () => {
    machine.other = '1.1.0';
    const firmware = machine.start();
    firmware.want(wish({ version: '1.0.0' }));
    await settle();
    firmware.want(wish());
    await settle();
    expect(machine.done).toEqual([]);
    expect(firmware.status.state).toBe('installed');
  });

  test.each([
    ['for another board', { compatible: 'linkspan-raspberrypi4' }, 'wrong_board'],
    ['with another version in it', { version: '1.2.0' }, 'wrong_version'],
    ['signed by another', { wrong: 'wrong_signature' }, 'wrong_signature'],
    ['that is no bundle', { wrong: 'unreadable' }, 'unreadable'],
  ])('%s is refused once, over restarts, until the document asks for another', async (_, bundle, code) => {
    machine.bundles.set(URL, bundle);
    machine.start().want(wish());
    await settle();
    for (const again of [() => machine.start(), () => machine.restart()]) {
      const firmware = again();
      firmware.want(wish());
      machine.now += 1e9;
      await settle();
      firmware.want(wish());
      await settle();
      expect(firmware.status).toMatchObject({ state: 'refused', target_version: '1.1.0', error: { code } });
    }
    expect(machine.done.filter((one) => one.startsWith('fetch'))).toHaveLength(1);
    expect(machine.done).not.toContain(`install ${URL}`);
    machine.bundles.set(URL, { version: '1.2.0' });
    const firmware = machine.start();
    firmware.want(wish({ version: '1.2.0' }));
    await settle();
    expect(firmware.status).toMatchObject({ state: 'installed', target_version: '1.2.0' });
  });

  test('that is older is refused unread', async () => {
    const firmware = machine.start();
    firmware.want(wish({ version: '0.9.0' }));
    await settle();
    expect(firmware.status).toMatchObject({ state: 'refused', error: { code: 'older_version' } });
    expect(machine.done).toEqual([]);
  });

  test('that cannot be fetched is tried again, later and later, and told once', async () => {
    machine.net = 'down';
    const firmware = machine.start();
    const tries = (): number => machine.done.filter((one) => one.startsWith('fetch')).length;
    firmware.want(wish());
    await settle();
    expect(firmware.status).toMatchObject({ state: 'failed', error: { code: 'download_failed' } });
    for (const [after, count] of [
      [10_000, 1],
      [30_000, 2],
      [30_000, 2],
      [60_000, 3],
    ] as const) {
      machine.now += after;
      firmware.want(wish());
      await settle();
      expect(tries()).toBe(count);
    }
    expect(machine.told.filter((one) => one.startsWith('firmware.failed'))).toHaveLength(1);
    expect(machine.done).not.toContain('clear');
    machine.net = 'up';
    machine.now += 1e9;
    firmware.want(wish());
    await settle();
    expect(firmware.status.state).toBe('installed');
  });

  test('whose installation breaks is fetched anew', async () => {
    machine.bundles.set(URL, { breaks: true });
    const firmware = machine.start();
    firmware.want(wish());
    await settle();
    expect(firmware.status).toMatchObject({ state: 'failed', error: { code: 'install_failed' } });
    expect(machine.done.at(-1)).toBe('clear');
  });

  test('is refused on a full disk too, for this run', async () => {
    machine.bundles.set(URL, { wrong: 'wrong_signature' });
    machine.disk = 'full';
    const firmware = machine.start();
    firmware.want(wish());
    await settle();
    machine.now += 1e9;
    firmware.want(wish());
    await settle();
    expect(firmware.status.state).toBe('refused');
    expect(machine.done.filter((one) => one.startsWith('fetch'))).toHaveLength(1);
  });

  test('is not activated while a document is on trial', async () => {
    machine.calm = false;
    const firmware = machine.start();
    firmware.want(AT_ONCE);
    await settle(5000);
    expect([firmware.status.state, machine.restarts]).toEqual(['installed', 0]);
    await expect(firmware.activate(undefined)).rejects.toMatchObject({ error: { code: 'busy' } });
    machine.calm = true;
    firmware.want(AT_ONCE);
    await settle(5000);
    expect(machine.restarts).toBe(1);
  });

  test('is not activated where it cannot be written down', async () => {
    machine.other = '1.1.0';
    machine.disk = 'full';
    const firmware = machine.start();
    await expect(firmware.activate(undefined)).rejects.toMatchObject({ error: { code: 'activate_failed' } });
    await settle(5000);
    expect(machine).toMatchObject({ restarts: 0, primary: 'A' });
    expect(firmware.status.state).toBe('failed');
  });
});

describe('a bundle that somebody brings', () => {
  test.each([
    ['runs already', '1.0.0', 'running'],
    ['is installed', '1.1.0', 'installed'],
  ])('changes nothing where it %s', async (_, version, outcome) => {
    machine.other = '1.1.0';
    machine.bundles.set('/usb/x.raucb', { version });
    const firmware = machine.start();
    expect(await firmware.install({ file: '/usb/x.raucb' }, false)).toEqual({ outcome, version });
    await settle();
    expect(firmware.status).toMatchObject({ state: 'installed', target_version: '1.1.0' });
    expect(machine.done).not.toContain('install /usb/x.raucb');
  });

  test('is installed, and refused with the cause', async () => {
    machine.bundles.set('/usb/x.raucb', {});
    const firmware = machine.start();
    expect(await firmware.install({ file: '/usb/x.raucb' }, false)).toEqual({
      outcome: 'installing',
      version: '1.1.0',
    });
    await settle();
    expect(firmware.status).toMatchObject({ state: 'installed', target_version: '1.1.0' });
    await expect(firmware.install({ file: '/usb/none' }, false)).rejects.toMatchObject({
      error: { code: 'unreadable' },
    });
    expect(firmware.status).toMatchObject({ state: 'refused', error: { code: 'unreadable' } });
    expect(await firmware.install({ url: URL }, false)).toEqual({ outcome: 'downloading', version: null });
    await settle();
    expect(firmware.status.state).toBe('installed');
  });

  test('comes before what is being fetched', async () => {
    machine.gate = new Promise(() => {});
    const firmware = machine.start();
    firmware.want(wish());
    await settle();
    machine.gate = undefined;
    machine.bundles.set('/usb/x.raucb', {});
    await firmware.install({ file: '/usb/x.raucb' }, false);
    await settle();
    expect(firmware.status).toMatchObject({ state: 'installed', target_version: '1.1.0' });
  });

  test('is not activated where there is none, or another', async () => {
    const firmware = machine.start();
    await expect(firmware.activate(undefined)).rejects.toMatchObject({ error: { code: 'nothing_installed' } });
    machine.other = '1.1.0';
    await expect(firmware.activate('1.2.0')).rejects.toThrow('firmware 1.1.0 is installed, not 1.2.0');
    machine.other = '0.9.0';
    await expect(firmware.activate(undefined)).rejects.toMatchObject({ error: { code: 'nothing_installed' } });
  });
});

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

test.each([
  '',
  '{',
  'null',
  '[]',
  '{"attempt":7,"refused":[]}',
  '{"attempt":{"from":{},"to":{},"phase":"activated"}}',
  noteOf({ attempt: { from: { slot: 'B', version: '1' }, to: { slot: 'A', version: 2 }, phase: 'activated' } }),
  noteOf({ refused: { url: URL, version: '1.1.0' } }),
])('a note that says %j is as none', async (note) => {
  machine.note = note;
  const firmware = machine.start();
  expect(firmware.status.state).toBe('idle');
  firmware.want(wish());
  await settle();
  expect(firmware.status.state).toBe('installed');
});
