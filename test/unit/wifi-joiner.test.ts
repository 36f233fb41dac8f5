import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { WifiLook } from '../../src/host/wifi/look.ts';
import type { Uplink, WifiNetwork } from '../../src/model/network.ts';
import type { WifiStatus } from '../../src/model/status.ts';
import { WifiJoiner } from '../../src/reconcile/wifi-joiner.ts';

const SSID = 'plant-iot';
const HEARD = [{ ssid: SSID, signal_percent: 70, security: 'WPA2' }];
const IDLE: WifiLook = { kind: 'idle', heard: [] };
const JOINED: WifiLook = { kind: 'joined', ssid: SSID, signal: 70, heard: HEARD };

let look: WifiLook | Error;
/** what an attempt does */
let attempt: () => void;
let attempts: { readonly device: string; readonly network: WifiNetwork; readonly at: number }[];
let left: number;
let stamp: string | undefined;
let changes: number;
let joiner: WifiJoiner;

const uplink = (wifi?: WifiNetwork, device = 'wlan0'): Uplink => ({
  name: 'air',
  interface: device,
  ...(wifi !== undefined && { wifi }),
});
const status = (): WifiStatus | undefined => joiner.statuses().get('wlan0');
const problem = (): string | undefined => joiner.problems().get('uplink/wlan0')?.code;
const pass = (seconds: number): Promise<void> => jest.advanceTimersByTimeAsync(seconds * 1000);

beforeEach(() => {
  jest.useFakeTimers();
  look = IDLE;
  attempts = [];
  left = 0;
  stamp = undefined;
  changes = 0;
  attempt = () => (look = JOINED);
  joiner = new WifiJoiner({
    host: {
      look: async () => (look instanceof Error ? Promise.reject(look) : look),
      join: async (device, network) => {
        attempts.push({ device, network, at: Date.now() });
        attempt();
      },
      leave: async () => void (left += 1),
      keyStamp: async () => stamp,
    },
    clock: { now: () => Date.now(), monotonic: () => Date.now() },
    onChange: () => void (changes += 1),
  });
});
afterEach(() => {
  joiner.stop();
  jest.useRealTimers();
});

test('an interface without an SSID is left alone', async () => {
  joiner.sync([uplink(undefined)]);
  await pass(60);
  expect([attempts.length, joiner.statuses().size]).toEqual([0, 0]);
});

test('what is joined already is not joined again; the signal is told, and is no news', async () => {
  look = JOINED;
  joiner.sync([uplink({ ssid: SSID })]);
  await pass(1);
  expect(status()).toEqual({ ssid: SSID, state: 'joined', signal_percent: 70, heard: HEARD, problem: null });
  look = { ...JOINED, signal: 20 };
  await pass(30);
  expect(status()?.signal_percent).toBe(20);
  expect([attempts.length, changes, problem()]).toEqual([0, 1, undefined]);
});

test('a network is joined with one attempt, and what an attempt has begun is waited for', async () => {
  attempt = () => (look = { kind: 'joining' });
  joiner.sync([uplink({ ssid: SSID })]);
  expect(problem()).toBe('waiting');
  await pass(20);
  expect(status()?.state).toBe('joining');
  look = JOINED;
  await pass(1);
  expect([status()?.state, attempts.length, left]).toEqual(['joined', 1, 0]);
});

test('a wrong key is tried ever more rarely, and at once when its file changes', async () => {
  stamp = 'old';
  attempt = () => {
    throw new Error('the key is wrong; correct it');
  };
  joiner.sync([uplink({ ssid: SSID, pskFile: '/psk' })]);
  await pass(600);
  expect(status()).toMatchObject({ state: 'failed', problem: expect.stringContaining('the key is wrong; correct it') });
  expect(problem()).toBe('wifi_failed');
  expect(attempts.length).toBeGreaterThan(8);
  expect(attempts.length).toBeLessThan(25);
  expect(changes).toBe(1);
  const before = attempts.length;
  stamp = 'new';
  attempt = () => (look = JOINED);
  await pass(6);
  expect([status()?.state, attempts.length - before]).toEqual(['joined', 1]);
});

test('an attempt that NetworkManager ends without a word is a failure, and rested after', async () => {
  attempt = () => undefined;
  joiner.sync([uplink({ ssid: SSID })]);
  await pass(3);
  expect(status()).toMatchObject({ state: 'failed', problem: expect.stringContaining('given up') });
  await pass(600);
  expect(attempts.length).toBeGreaterThan(8);
  expect(attempts.length).toBeLessThan(25);
});

test('an attempt that leads nowhere is ended after 45 s, and another follows', async () => {
  attempt = () => (look = { kind: 'joining' });
  joiner.sync([uplink({ ssid: SSID })]);
  await pass(44);
  expect(left).toBe(0);
  await pass(2);
  expect([left, problem()]).toEqual([1, 'wifi_failed']);
  look = IDLE;
  await pass(5);
  expect(attempts).toHaveLength(2);
});

test('an access point that vanishes is a loss until it is back, also where NetworkManager joins it by itself', async () => {
  look = JOINED;
  joiner.sync([uplink({ ssid: SSID })]);
  await pass(1);
  look = IDLE;
  attempt = () => {
    throw new Error('it is not heard');
  };
  await pass(30);
  expect(status()).toMatchObject({
    state: 'lost',
    signal_percent: null,
    heard: [],
    problem: expect.stringContaining('not heard'),
  });
  expect(problem()).toBe('wifi_lost');
  look = { kind: 'joining' };
  await pass(5);
  expect(problem()).toBe('wifi_lost');
  look = JOINED;
  await pass(2);
  expect([status()?.state, problem()]).toEqual(['joined', undefined]);
});

test('another SSID in the document is joined instead; none at all changes nothing', async () => {
  look = JOINED;
  joiner.sync([uplink({ ssid: SSID })]);
  await pass(1);
  attempt = () => (look = { ...JOINED, ssid: 'other' } as WifiLook);
  joiner.sync([uplink({ ssid: 'other' })]);
  await pass(2);
  expect([status()?.state, attempts.map(({ network }) => network.ssid)]).toEqual(['joined', ['other']]);
  joiner.sync([uplink(undefined)]);
  look = IDLE;
  await pass(60);
  expect([attempts.length, left, joiner.statuses().size]).toEqual([1, 0, 0]);
});

test('an interface that is gone, one that nobody manages, and a NetworkManager that is away are each said', async () => {
  look = { kind: 'absent' };
  joiner.sync([uplink({ ssid: SSID })]);
  await pass(1);
  expect([status()?.state, problem()]).toEqual(['absent', 'waiting']);
  look = { kind: 'unusable', why: 'unmanaged' };
  await pass(10);
  expect(status()?.problem).toContain('unmanaged-devices');
  look = new Error('nmcli: not running; start NetworkManager');
  await pass(10);
  expect([problem(), attempts.length]).toEqual(['wifi_failed', 0]);
  look = JOINED;
  await pass(10);
  expect(problem()).toBeUndefined();
});

test('a NetworkManager that is not up yet is waited for a minute before that is a fault', async () => {
  look = new Error('nmcli: not running; start NetworkManager');
  joiner.sync([uplink({ ssid: SSID })]);
  await pass(50);
  expect([status()?.state, problem()]).toEqual(['joining', 'waiting']);
  expect(status()?.problem).toContain('start NetworkManager');
  await pass(15);
  expect(problem()).toBe('wifi_failed');
});

test('a NetworkManager that comes up while it is waited for joins at once', async () => {
  look = new Error('nmcli: not running; start NetworkManager');
  joiner.sync([uplink({ ssid: SSID })]);
  await pass(20);
  look = IDLE;
  await pass(5);
  expect([status()?.state, problem(), attempts.length]).toEqual(['joined', undefined, 1]);
});
