import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { PeerProbes } from '../../src/control/probes/peer-probes.ts';
import type { EchoSocket } from '../../src/host/echo-socket.ts';
import { LinkspanError } from '../../src/service/errors.ts';
import { systemClock } from '../../src/service/clock.ts';
import { until } from '../lab/wait.ts';

const [OWN, PEER] = ['198.51.100.1', '198.51.100.2'];
const FROM = { address: OWN, mtu: 1500 };
const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Probes over a socket of the test's, which gives each packet that was sent to `sent`. */
function probing(sent: (packet: Buffer, hear: (message: Buffer, from: string) => void) => void): {
  probes: PeerProbes;
  changed: string[];
} {
  const changed: string[] = [];
  const open = (_family: 4 | 6, hear: (message: Buffer, from: string) => void): EchoSocket => ({
    send: (packet) => sent(Buffer.from(packet), hear),
    close: () => undefined,
  });
  const options = {
    clock: systemClock,
    open,
    onEvent: () => undefined,
    onChange: (ip: string) => void changed.push(ip),
  };
  const probes = new PeerProbes(options);
  ends.push(() => probes.stop());
  return { probes, changed };
}

/** As the other end's kernel answers. */
function reply(packet: Buffer): Buffer {
  const answer = Buffer.from(packet);
  answer.writeUInt8(0, 20);
  return answer;
}

const spoilt = (at: number) => (packet: Buffer) => {
  const answer = reply(packet);
  answer.writeUInt8(answer.readUInt8(at) ^ 1, at);
  return answer;
};

/** "Fragmentation needed", in whoever's name. */
function tooBig(packet: Buffer, mtu: number): Buffer {
  const header = Buffer.alloc(28);
  header.writeUInt8(0x45, 0);
  header.writeUInt8(3, 20);
  header.writeUInt8(4, 21);
  header.writeUInt16BE(mtu, 26);
  return Buffer.concat([header, packet.subarray(0, 28)]);
}

test('who answers is up, as large as the link; nobody else is asked, and one that is let go is forgotten', async () => {
  const { probes, changed } = probing((packet, hear) => setImmediate(() => hear(reply(packet), PEER)));
  probes.follow(FROM, new Set([PEER]));
  await until('its way is known', () => probes.of(PEER)?.pathMtu === 1500);
  expect(probes.of(PEER)?.state).toBe('up');
  expect([new Set(changed), probes.of(OWN)]).toEqual([new Set([PEER]), undefined]);
  probes.follow(FROM, new Set());
  expect(probes.of(PEER)).toBeUndefined();
});

test.each([
  ['from another address', reply, '198.51.100.9'],
  ['of another program', spoilt(24), PEER],
  ['to another request', spoilt(26), PEER],
  ['with another token', spoilt(28), PEER],
])('an answer %s is none', async (_what, answer, from) => {
  const { probes } = probing((packet, hear) => setImmediate(() => hear(answer(packet), from)));
  probes.follow(FROM, new Set([PEER]));
  await sleep(200);
  expect(probes.of(PEER)).toMatchObject({ state: 'unprobed', rtt: undefined });
});

test('a forged "too big" does not make the way narrower: it must quote the request, and the size it names must pass', async () => {
  const { probes } = probing((packet, hear) =>
    setImmediate(() => {
      if (packet.length > 1400) {
        const forged = Buffer.from(packet);
        forged.writeUInt16BE(forged.readUInt16BE(22) ^ 1, 22);
        hear(tooBig(forged, 600), '203.0.113.66');
        hear(tooBig(packet, 1400), '203.0.113.1');
      } else hear(reply(packet), PEER);
    }),
  );
  probes.follow(FROM, new Set([PEER]));
  await until('its way is known', () => probes.of(PEER)?.pathMtu !== undefined);
  await sleep(200);
  expect(probes.of(PEER)?.pathMtu).toBe(1400);
});

function refuse(): EchoSocket {
  throw new LinkspanError({ code: 'probes_unavailable', object: 'peers', reason: 'not permitted', remedy: 'be root' });
}

test('without a socket nobody is silent: nothing is said of the peers, and why is told once', async () => {
  const events: string[] = [];
  const onEvent = (type: string, _level: string, message: string): void => void events.push(`${type}: ${message}`);
  const probes = new PeerProbes({ clock: systemClock, open: refuse, onEvent, onChange: () => undefined });
  ends.push(() => probes.stop());
  probes.follow(FROM, new Set([PEER]));
  await sleep(200);
  probes.follow(FROM, new Set([PEER]));
  expect(events).toEqual(['probes_unavailable: peers: not permitted; be root; peers are judged by the broker alone']);
  expect(probes.of(PEER)?.state).toBe('unprobed');
});
