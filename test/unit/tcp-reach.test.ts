import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { surroundingsOf } from '../../src/bin/surroundings.ts';
import { isOwnAddress, reach } from '../../src/host/tcp-reach.ts';

test('a host that takes a connection or refuses it is there; this host is known as such', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const broker = { connected: true, url: `mqtt://127.0.0.1:${port}` };
  const around = surroundingsOf({
    broker: () => broker,
    brokerAddress: () => undefined,
    peers: () => [],
    wifi: () => new Map(),
  });
  expect(around.broker()).toEqual({ connected: true, own: true });
  expect(await reach('127.0.0.1', port)).toEqual({ answer: 'accepted', own: true });
  expect(await around.reachBroker(true)).toBe(true);
  // An address of this host's that was another's proves nothing.
  expect(await around.reachBroker(false)).toBe(false);
  await new Promise((resolve) => void server.close(resolve));
  expect(await reach('127.0.0.1', port)).toEqual({ answer: 'refused', own: true });
  expect(await around.reachBroker(true)).toBe(true);
});

test("a name is this host's where its connection went here", () => {
  let address: string | undefined;
  const around = surroundingsOf({
    broker: () => ({ connected: true, url: 'mqtt://gw-a.plant:1883' }),
    brokerAddress: () => address,
    peers: () => [],
    wifi: () => new Map(),
  });
  const own = ['127.0.1.1', '192.0.2.7', undefined].map((one) => {
    address = one;
    return around.broker().own;
  });
  expect(own).toEqual([true, false, false]);
});

test('a name with several addresses refuses as one has', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  expect(await reach('localhost', port)).toEqual({ answer: 'refused', own: true });
});

test('one that nobody knows, or that does not answer, is silent', async () => {
  expect(await reach('no-such-host.invalid', 1883)).toEqual({ answer: 'silent', own: false });
  // RFC 6666: the discard prefix
  expect(await reach('100::1', 1883)).toEqual({ answer: 'silent', own: false });
});

test.each([
  ['mqtts://broker.example', 'broker.example'],
  ['mqtt://[2001:db8::1]:1884', '2001:db8::1'],
])('%s is no address of this host', (url, host) => {
  const around = surroundingsOf({
    broker: () => ({ connected: false, url }),
    brokerAddress: () => undefined,
    peers: () => [],
    wifi: () => new Map(),
  });
  expect([around.broker().own, isOwnAddress(host)]).toEqual([false, false]);
});

test('an uplink that is joining a network moves', () => {
  const wifi = { ssid: 'x', signal_percent: null, heard: [], problem: null };
  let state: 'joining' | 'joined' | 'failed' = 'joining';
  const around = surroundingsOf({
    broker: () => ({ connected: false, url: '' }),
    brokerAddress: () => undefined,
    peers: () => [],
    wifi: () => new Map([['wlan0', { ...wifi, state }]]),
  });
  expect(around.uplinksMove()).toBe(true);
  for (state of ['joined', 'failed'] as const) expect(around.uplinksMove()).toBe(false);
});
