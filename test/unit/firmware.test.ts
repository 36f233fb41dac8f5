import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { FirmwareWish } from '../../src/model/firmware.ts';
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

  test('that is not wanted any more when it has come is not installed', async () => {
    const looking = Promise.withResolvers<void>();
    machine.bundles.set('/usb/x.raucb', { version: '1.2.0' });
    const firmware = machine.start();
    firmware.want(wish());
    machine.inspection = looking.promise;
    await settle();
    firmware.want(undefined);
    looking.resolve();
    await settle();
    expect(firmware.status.state).toBe('idle');
    expect(machine.done).not.toContain(`install ${URL}`);
  });

  test('is not activated where the updater does not answer', async () => {
    machine.other = '1.1.0';
    machine.updater = 'away';
    const firmware = machine.start();
    firmware.want(undefined);
    await settle();
    expect(firmware.status.state).toBe('idle');
    await expect(firmware.activate(undefined)).rejects.toMatchObject({ error: { code: 'unavailable' } });
    firmware.want(wish());
    machine.now += 1e9;
    firmware.want(wish());
    await settle();
    expect(firmware.status).toMatchObject({ state: 'failed', error: { code: 'unavailable' } });
    machine.updater = 'there';
    machine.now += 1e9;
    firmware.want(undefined);
    await settle();
    expect(firmware.status.state).toBe('installed');
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
