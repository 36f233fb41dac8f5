import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, expect, test } from '@jest/globals';
import { libc, LINUX } from '../../src/host/libc.ts';
import { sdNotify, startWatchdog } from '../../src/host/sd-notify.ts';
import { until } from '../lab/wait.ts';

const directory = mkdtempSync(join(tmpdir(), 'linkspan-notify-'));
const path = join(directory, 'notify');
const abstract = `@linkspan-test-${process.pid}`;

const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});
afterAll(() => rmSync(directory, { recursive: true }));

/** A receiving socket; `take` returns the datagrams that wait in it. */
function listen(target: string): { take: () => string[]; close: () => void } {
  const descriptor = libc().socket(LINUX.AF_UNIX, LINUX.SOCK_DGRAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC, 0);
  libc().bind(descriptor, Buffer.from(`\u0001\0${target.startsWith('@') ? `\0${target.slice(1)}` : `${target}\0`}`));
  const buffer = Buffer.alloc(256);
  const take = (): string[] => {
    const length = libc().recv(descriptor, buffer, 0);
    return length === undefined ? [] : [buffer.toString('utf8', 0, length), ...take()];
  };
  return { take, close: () => libc().close(descriptor) };
}

test.each([path, abstract])('the state reaches %s', (target) => {
  const receiver = listen(target);
  sdNotify('READY=1\nSTATUS=up', { NOTIFY_SOCKET: target });
  expect(receiver.take()).toEqual(['READY=1\nSTATUS=up']);
  receiver.close();
});

test('without a socket nothing happens; a dead one is an error', () => {
  sdNotify('READY=1', {});
  expect(() => sdNotify('READY=1', { NOTIFY_SOCKET: join(directory, 'nobody') })).toThrow(
    expect.objectContaining({ code: 'ENOENT', syscall: 'sendto' }),
  );
});

test('the watchdog is pinged at half its interval while healthy, and only then', async () => {
  const target = `${abstract}-dog`;
  const receiver = listen(target);
  let healthy = true;
  const env = { NOTIFY_SOCKET: target, WATCHDOG_USEC: '60000' };
  ends.push(
    startWatchdog(() => healthy, env),
    receiver.close,
  );
  const started = performance.now();
  const pings: string[] = [];
  await until('the fourth ping', () => pings.push(...receiver.take()) >= 4);
  expect(new Set(pings)).toEqual(new Set(['WATCHDOG=1']));
  expect(pings.length).toBeLessThanOrEqual((performance.now() - started) / 30 + 1);
  healthy = false;
  await sleep(90);
  expect(receiver.take()).toEqual([]);
  healthy = true;
  ends.shift()?.();
  startWatchdog(() => true, { ...env, WATCHDOG_PID: '1' })();
  await sleep(90);
  expect(receiver.take()).toEqual([]);
});

test('open, setns and recvfrom reach the kernel', () => {
  const calls = libc();
  expect(() => calls.open(join(directory, 'nothing'), LINUX.O_RDONLY)).toThrow('ENOENT');
  const file = calls.open('/proc/self/status', LINUX.O_RDONLY | LINUX.O_CLOEXEC);
  expect(() => calls.setns(file, LINUX.CLONE_NEWNET)).toThrow('EINVAL');
  calls.close(file);
  expect(() => calls.close(file)).toThrow('EBADF');

  const [sender, receiver] = [0, 1].map((n) => {
    const descriptor = calls.socket(LINUX.AF_UNIX, LINUX.SOCK_DGRAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC, 0);
    calls.bind(descriptor, Buffer.from(`\u0001\0\0linkspan-${process.pid}-${n}`));
    return descriptor;
  }) as [number, number];
  const data = Buffer.alloc(16);
  const address = Buffer.alloc(110);
  expect(calls.recvfrom(receiver, data, LINUX.MSG_DONTWAIT, address)).toBeUndefined();
  expect(calls.sendto(sender, Buffer.from('hello'), 0, Buffer.from(`\u0001\0\0linkspan-${process.pid}-1`))).toBe(5);
  const got = calls.recvfrom(receiver, data, 0, address);
  expect(data.toString('utf8', 0, got?.length)).toBe('hello');
  expect(address.toString('utf8', 3, got?.addressLength)).toBe(`linkspan-${process.pid}-0`);
  calls.close(sender);
  calls.close(receiver);
});
