import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { firmwareControl } from '../../src/bin/gateway-firmware.ts';
import { firmwareRoutes } from '../../src/control/socket/firmware-routes.ts';
import type { Firmware } from '../../src/firmware/firmware.ts';
import { EventRing } from '../../src/status/events.ts';
import { metrics } from '../../src/status/metrics.ts';
import { page } from '../../src/status/page.ts';
import { readRoutes } from '../../src/status/read-routes.ts';
import { listenUnix, type Listener } from '../../src/status/server.ts';
import { encodeReported } from '../../src/control/reported.ts';
import { Machine } from './support/firmware.ts';
import { HEALTHY } from './support/status.ts';

const PROGRAM = new URL('../../src/bin/linkspan.ts', import.meta.url).pathname;
const USB = '/run/usb/x.raucb';
type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

let directory: string;
let listener: Listener;
let machine: Machine;
let firmware: Firmware | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'firmware-cli-'));
  machine = new Machine();
  machine.bundles.set(USB, {});
  firmware = machine.start();
  await serve();
});
afterEach(async () => {
  machine.stop();
  await listener.close();
  rmSync(directory, { recursive: true });
});

async function serve(): Promise<void> {
  listener = await listenUnix(join(directory, 'control.sock'), [
    ...readRoutes({
      status: () => ({ ...HEALTHY, firmware: firmware?.status ?? null }),
      fdb: () => [],
      firmwareWaitsFor: () => firmware?.waitingFor ?? [],
      events: new EventRing(),
      desiredSchema: {},
    }),
    ...firmwareRoutes(firmwareControl(firmware)),
  ]);
}

function run(...argv: readonly string[]): Promise<Ended> {
  const env = { ...process.env, LINKSPAN_SOCKET: join(directory, 'control.sock') };
  const child = spawn(process.execPath, [PROGRAM, ...argv], { env, stdio: 'pipe' });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

describe('linkspan firmware', () => {
  test('installs a bundle, says so, and restarts into it when asked to', async () => {
    expect(await run('firmware', 'status')).toMatchObject({ code: 0, out: 'firmware 1.0.0, slot A, idle\n' });
    const { code, out, err } = await run('firmware', 'install', USB);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/firmware 1\.1\.0 is installed; linkspan firmware activate restarts into it\n$/);
    expect((await run('firmware', 'install', USB)).out).toContain('is installed');
    expect((await run('status')).out).toContain('\nfirmware 1.0.0, slot A, installed 1.1.0\n');
    const restarting = await run('firmware', 'activate');
    expect(restarting).toMatchObject({ code: 0, out: expect.stringContaining('restarting into firmware 1.1.0') });
    expect(machine.primary).toBe('B');
    expect(await run('firmware', 'activate')).toMatchObject({ code: 5 });
  });

  test.each([
    ['/run/usb/none', /no such file/],
    ['/run/usb/other', /for linkspan-rock64 and this gateway is a linkspan-qemu-virt/],
    ['/run/usb/old', /0\.9\.0 is older than 1\.0\.0/],
    ['/run/usb/forged', /does not like it/],
  ])('refuses %s', async (file, words) => {
    machine.bundles.set('/run/usb/other', { compatible: 'linkspan-rock64' });
    machine.bundles.set('/run/usb/old', { version: '0.9.0' });
    machine.bundles.set('/run/usb/forged', { wrong: 'wrong_signature' });
    const { code, err } = await run('firmware', 'install', file);
    expect({ code, err }).toEqual({ code: 5, err: expect.stringMatching(words) });
    expect((await run('firmware', 'status', '--json')).out).toContain('"refused"');
  });

  test('takes a URL, and ends with what became of it', async () => {
    const url = 'https://updates.example/x.raucb';
    machine.bundles.set(url, { version: '1.2.0' });
    expect(await run('firmware', 'install', url)).toMatchObject({ code: 0, out: expect.stringContaining('1.2.0 is') });
    machine.net = 'down';
    expect(await run('firmware', 'install', url)).toMatchObject({ code: 1, err: expect.stringContaining('no way') });
    machine.net = 'up';
    machine.bundles.set(url, { wrong: 'wrong_signature' });
    expect(await run('firmware', 'install', url)).toMatchObject({ code: 5 });
  });

  test('says what it waits for while it proves itself', async () => {
    await run('firmware', 'install', USB);
    await run('firmware', 'activate', '1.1.0');
    await listener.close();
    firmware = machine.restart();
    await serve();
    machine.broker = false;
    expect(await run('firmware', 'health')).toMatchObject({ code: 1, out: 'waits for the broker\n' });
    const { out } = await run('firmware', 'health', '--json');
    expect(JSON.parse(out)).toMatchObject({ healthy: false, waiting_for: ['the broker'], firmware: { slot: 'B' } });
    expect((await run('firmware', 'status')).out).toBe('firmware 1.1.0, slot B, proving\n  waits for the broker\n');
    expect(page({ ...HEALTHY, firmware: firmware.status }, [])).toContain('waits for the broker');
    expect(metrics({ ...HEALTHY, firmware: firmware.status })).toContain(
      '\nlinkspan_firmware_info{version="1.1.0",slot="B",state="proving"} 1\n',
    );
    machine.broker = true;
    expect(await run('firmware', 'health')).toMatchObject({ code: 0, out: 'healthy\n' });
  });

  test('needs an image with two slots, and a yes before all is forgotten', async () => {
    await listener.close();
    firmware = undefined;
    await serve();
    for (const argv of [['install', USB], ['activate']])
      expect(await run('firmware', ...argv)).toMatchObject({ code: 5, err: expect.stringContaining('no image') });
    expect(await run('factory-reset')).toMatchObject({ code: 2, err: expect.stringContaining('--yes') });
    expect(await run('factory-reset', '--yes')).toMatchObject({
      code: 5,
      err: expect.stringContaining('no data partition'),
    });
  });
});

test('what is reported goes in steps of ten percent', () => {
  const status = { ...machine.start().status, state: 'downloading', progress: 47 } as const;
  const { firmware: told } = JSON.parse(String(encodeReported({ ...HEALTHY, firmware: status }))) as {
    firmware: { progress: number };
  };
  expect(told.progress).toBe(40);
});
