import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { run } from '../lab/exec.ts';

const PROGRAM = join(import.meta.dirname, '../../firmware/overlay/usr/lib/linkspan/firmware/boot-state');
const COPY = 4096;
const PLACES = [0, 512 * 1024] as const;

let folder: string;
let device: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'boot-state-'));
  device = join(folder, 'partition');
  writeFileSync(device, '');
  truncateSync(device, 1024 * 1024);
  writeFileSync(join(folder, 'cmdline'), 'root=PARTLABEL=rootA ro rauc.slot=A panic=5\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function call(...argv: string[]): Promise<{ code: number; text: string }> {
  const env = [`BOOT_STATE_DEVICE=${device}`, `BOOT_STATE_CMDLINE=${join(folder, 'cmdline')}`];
  const { code, stdout } = await run(['env', ...env, PROGRAM, ...argv], { allowFailure: true });
  return { code, text: stdout.trim() };
}

const shown = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await call('show')).text.split('\n').map((line) => line.split('=') as [string, string]));

/** Where the copy that was written last lies. */
async function newest(): Promise<(typeof PLACES)[number]> {
  const { serial } = await shown();
  const holds = (place: number): boolean =>
    readFileSync(device)
      .subarray(place, place + COPY)
      .includes(`serial=${serial}\0`);
  return holds(PLACES[0]) ? PLACES[0] : PLACES[1];
}

function spoil(place: number, offset: number, length: number): void {
  const bytes = readFileSync(device);
  bytes.fill(0xa5, place + offset, place + offset + length);
  writeFileSync(device, bytes);
}

test('a partition that was never written: both slots count as good, and A comes first', async () => {
  expect(await shown()).toMatchObject({ BOOT_ORDER: 'A B', BOOT_A_LEFT: '3', BOOT_B_LEFT: '3' });
  expect(await call('get-primary')).toEqual({ code: 0, text: 'A' });
  expect((await call('on-trial')).code).toBe(1);
  expect((await call('proven')).code).toBe(0);
});

test('where the state cannot be read, a slot is neither on trial nor proven', async () => {
  rmSync(device);
  expect([(await call('on-trial')).code, (await call('proven')).code]).not.toContain(0);
});

test("RAUC's update: the other slot is bad while it is written, then on trial, then good", async () => {
  await call('set-state', 'A', 'good');
  await call('set-state', 'B', 'bad');
  expect(await call('get-state', 'B')).toEqual({ code: 0, text: 'bad' });
  expect(await call('get-primary')).toEqual({ code: 0, text: 'A' });
  await call('set-primary', 'B');
  expect(await call('get-primary')).toEqual({ code: 0, text: 'B' });
  expect((await call('on-trial', 'B')).code).toBe(0);
  expect((await call('proven', 'B')).code).toBe(1);
  expect(await shown()).toMatchObject({ BOOT_ORDER: 'B A', BOOT_B_LEFT: '3', BOOT_A_LEFT: '8' });
  await call('set-state', 'B', 'good');
  expect((await call('on-trial', 'B')).code).toBe(1);
  expect(await shown()).toMatchObject({ BOOT_B_LEFT: '8', BOOT_B_GOOD: '1' });
});

test('a slot that failed its trial is never primary, and a proven one that is gone back to is not on trial', async () => {
  await call('set-state', 'A', 'good');
  await call('set-state', 'B', 'bad');
  await call('set-primary', 'B');
  await call('set-state', 'B', 'bad');
  expect(await call('get-primary')).toEqual({ code: 0, text: 'A' });
  await call('set-primary', 'A');
  expect((await call('on-trial', 'A')).code).toBe(1);
});

test('marks the slot that runs, and writes nothing where nothing changes', async () => {
  expect(await call('get-current')).toEqual({ code: 0, text: 'A' });
  await call('mark', 'good');
  expect(await shown()).toMatchObject({ BOOT_A_LEFT: '8', BOOT_B_LEFT: '3' });
  const before = readFileSync(device);
  await call('mark', 'good');
  expect(readFileSync(device).equals(before)).toBe(true);
});

test('what it is asked wrongly changes nothing', async () => {
  await call('mark', 'good');
  const before = readFileSync(device);
  for (const argv of [
    ['set-primary', 'C'],
    ['set-state', 'A'],
    ['set-state', 'A', 'fine'],
    ['set-primary'],
    ['list'],
    [],
  ]) {
    expect((await call(...argv)).code).not.toBe(0);
    expect(readFileSync(device).equals(before)).toBe(true);
  }
});

// The power goes while a copy is written: what is there of it is old, new, or rubbish, in any part.
test.each([
  [0, 1],
  [4, 1],
  [20, 8],
  [0, 512],
  [512, 3584],
  [COPY - 1, 1],
  [0, COPY],
])('a write that was torn at byte %i, over %i bytes: the state before it counts', async (offset, length) => {
  await call('set-state', 'A', 'good');
  await call('set-state', 'B', 'bad');
  const before = await shown();
  await call('set-primary', 'B');
  spoil(await newest(), offset, length);
  expect(await shown()).toEqual(before);
  // The next write goes over the torn copy and leaves the whole one alone.
  await call('set-primary', 'B');
  expect(await shown()).toMatchObject({ BOOT_ORDER: 'B A', BOOT_B_LEFT: '3' });
  spoil(await newest(), offset, length);
  expect(await shown()).toEqual(before);
});

test('many writes, each of which may be the last one: the newer copy is always found', async () => {
  for (const [index, state] of ['good', 'bad', 'good', 'bad', 'good', 'bad', 'good'].entries()) {
    await call('set-state', 'B', state);
    expect(await shown()).toMatchObject({ serial: String((index + 1) % 3), BOOT_B_GOOD: state === 'good' ? '1' : '0' });
  }
});

test('both copies spoilt: as if never written, and the next write is whole', async () => {
  await call('set-state', 'B', 'bad');
  await call('set-primary', 'B');
  for (const place of PLACES) spoil(place, 100, 10);
  expect(await shown()).toMatchObject({ BOOT_ORDER: 'A B', BOOT_A_LEFT: '3', BOOT_B_LEFT: '3' });
  await call('set-state', 'B', 'bad');
  expect(await shown()).toMatchObject({ BOOT_A_LEFT: '3', BOOT_B_LEFT: '0' });
});
