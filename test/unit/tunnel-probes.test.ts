import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { TunnelProbes } from '../../src/control/probes/tunnel-probes.ts';
import { WayProbes } from '../../src/control/probes/way-probes.ts';
import { SystemCallError } from '../../src/host/libc.ts';
import type { TunnelSocket } from '../../src/host/tunnel-socket.ts';
import { DEFAULT_GUARDS } from '../../src/model/guards.ts';
import { tunnelMac } from '../../src/model/tunnel.ts';
import { answeredSequence, tunnelAnswer, tunnelRequest } from '../../src/packet/tunnel-probe.ts';
import { portRules } from '../../src/reconcile/guards/port-rules.ts';
import { systemClock } from '../../src/service/clock.ts';
import { until } from '../lab/wait.ts';
import { mac, vni } from './support/values.ts';

type Vectors = {
  readonly macs: readonly { fleet: string; vni: number; gateway: string; mac: string }[];
  readonly exchanges: readonly {
    from: string;
    to: string;
    sequence: number;
    token: string;
    request: string;
    answer: string;
  }[];
};

// written by another program than ours, in another language, from docs/protocol.md
const VECTORS = JSON.parse(readFileSync(new URL('../vectors/tunnel.json', import.meta.url), 'utf8')) as Vectors;

test.each(VECTORS.macs)('$gateway is asked in VNI $vni of $fleet by $mac', ({ fleet, vni: id, gateway, mac: by }) => {
  expect(tunnelMac(fleet, vni(id), gateway)).toBe(by);
});

test.each(VECTORS.exchanges)('request and answer $sequence have these very bytes', ({ request, answer, ...one }) => {
  const made = { from: mac(one.from), to: mac(one.to), sequence: one.sequence, token: Buffer.from(one.token, 'hex') };
  expect([tunnelRequest(made).toString('hex'), tunnelAnswer(made).toString('hex')]).toEqual([request, answer]);
  expect(answeredSequence(Buffer.from(answer, 'hex'))).toBe(one.sequence);
  expect(answeredSequence(Buffer.from(request, 'hex'))).toBeUndefined();
});

const [IP, PORT] = ['198.51.100.2', 7];
const [OWN, PEER] = [mac('02:00:00:00:00:0a'), mac('02:00:00:00:00:0b')];
const TARGETS = new Map([[IP, { port: PORT, from: OWN, to: PEER }]]);
const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** As the other end's kernel sends it back. */
function reflected(request: Buffer): Buffer {
  const answer = Buffer.from(request);
  request.copy(answer, 0, 6, 12);
  request.copy(answer, 6, 0, 6);
  answer.writeUInt8(2, 18);
  return answer;
}

/** A socket of the test's; `answer` gives the frames that come back for each that was sent. */
function socket(answer: (request: Buffer) => readonly Buffer[], sent: [Buffer, number][] = []): () => TunnelSocket {
  const waiting: Buffer[] = [];
  return () => ({
    send: (frame, index) => {
      sent.push([frame, index]);
      waiting.push(...answer(frame));
    },
    receive: () => waiting.splice(0).map((frame) => ({ frame, age: 0 })),
    close: () => undefined,
  });
}

function probing(answer: (request: Buffer) => readonly Buffer[], sent?: [Buffer, number][]): TunnelProbes {
  const open = socket(answer, sent);
  const probes = new TunnelProbes({ clock: systemClock, open, isCalm: () => true, onBeat: () => undefined });
  ends.push(() => probes.stop());
  probes.follow(TARGETS);
  return probes;
}

function refuse(): TunnelSocket {
  throw new SystemCallError('socket', 1);
}

const spoilt = (at: number) => (request: Buffer) => {
  const answer = reflected(request);
  answer.writeUInt8(answer.readUInt8(at) ^ 1, at);
  return [answer];
};

const LYING_MS = 200;

describe('through VXLAN', () => {
  test('the time that an answer lay there until it was looked for is none of its way', async () => {
    let sentAt = Infinity;
    const waiting: Buffer[] = [];
    const open = (): TunnelSocket => ({
      send: (frame) => {
        sentAt = performance.now();
        waiting.push(reflected(frame));
      },
      // nobody looks before it has lain there for long
      receive: () => {
        const age = performance.now() - sentAt;
        return age < LYING_MS ? [] : waiting.splice(0).map((frame) => ({ frame, age }));
      },
      close: () => undefined,
    });
    const probes = new TunnelProbes({ clock: systemClock, open, isCalm: () => true, onBeat: () => undefined });
    ends.push(() => probes.stop());
    probes.follow(TARGETS);
    await until('an answer', () => probes.of(IP)?.rtt !== undefined);
    expect(probes.of(IP)?.rtt).toBeLessThan(LYING_MS / 2);
  });

  test('who answers is up; it is asked out of the network’s port, and one that is let go is forgotten', async () => {
    const sent: [Buffer, number][] = [];
    const probes = probing((request) => [reflected(request)], sent);
    await until('an answer', () => probes.of(IP)?.state === 'up');
    expect(probes.of(IP)?.rtt).toBeLessThan(100);
    expect(sent.map(([frame, index]) => [frame.length, index])).toEqual([[60, PORT]]);
    probes.follow(new Map());
    expect(probes.of(IP)).toBeUndefined();
  });

  test.each([
    ['its own request', (request: Buffer) => [request]],
    [
      'another length',
      (request: Buffer) => [reflected(request).subarray(0, 59), Buffer.concat([reflected(request), Buffer.alloc(1)])],
    ],
    ['another receiver', spoilt(0)],
    ['another sender', spoilt(11)],
    ['another EtherType', spoilt(13)],
    ['another magic number', spoilt(17)],
    ['another kind', spoilt(18)],
    ['something where zero belongs', spoilt(19)],
    ['another number', spoilt(21)],
    ['another token', spoilt(22)],
    ['something behind it', spoilt(59)],
  ])('%s is no answer', async (_what, answer) => {
    const sent: [Buffer, number][] = [];
    const probes = probing(answer, sent);
    await until('a request', () => sent.length === 1);
    await sleep(50);
    expect(probes.of(IP)?.state).toBe('unprobed');
  });

  test('each request has a token of its own, and is answered once', async () => {
    const sent: [Buffer, number][] = [];
    const probes = probing((request) => [reflected(request), reflected(request)], sent);
    await until('an answer', () => probes.of(IP)?.state === 'up');
    probes.ask(IP);
    await until('a second request', () => sent.length > 1);
    const tokens = sent.map(([frame]) => frame.toString('hex', 22, 30));
    expect([tokens.length, new Set(tokens).size]).toEqual([2, 2]);
  });

  test('without a socket nothing is said of anybody', async () => {
    const probes = new TunnelProbes({ clock: systemClock, open: refuse, isCalm: () => true, onBeat: () => undefined });
    ends.push(() => probes.stop());
    probes.follow(TARGETS);
    await sleep(150);
    expect(probes.of(IP)).toBeUndefined();
  });
});

test('a peer that answers no ping is up by VXLAN, and down when that is silent too, each told once', async () => {
  const at = { answers: true };
  const told: string[] = [];
  const probes = new WayProbes({
    clock: systemClock,
    openEcho: () => ({ send: () => undefined, close: () => undefined }),
    openTunnel: socket((request) => (at.answers ? [reflected(request)] : [])),
    onEvent: () => undefined,
    onChange: (ip) => void told.push(probes.of(ip)?.state ?? ''),
  });
  ends.push(() => probes.stop());
  probes.follow({ address: '198.51.100.1', mtu: 1500 }, new Set([IP]), TARGETS);
  await sleep(300);
  expect(probes.of(IP)).toMatchObject({ state: 'up', rtt: undefined, pathMtu: undefined, tunnel: { state: 'up' } });
  at.answers = false;
  await sleep(4000);
  expect([probes.of(IP)?.state, told]).toEqual(['down', ['up', 'suspect', 'down']]);
});

const chain = (rules: string, name: string): readonly string[] =>
  (new RegExp(`  chain ${name} \\{\n(.*?)  \\}\n`, 's').exec(rules)?.[1] ?? '').trim().split(/\n */);

describe('the rules of a port', () => {
  const spec = {
    device: 'lsx-line',
    object: 'network/line',
    guards: DEFAULT_GUARDS,
    port: 4789,
    sources: undefined,
    tunnel: { own: OWN, peers: [PEER] },
  } as const;

  test('send a known peer’s request back, hand answers on, and let no probe pass', () => {
    const rules = portRules(spec, true, true);
    expect(chain(rules, 'tunnel_in')).toEqual([
      `ether daddr != ${OWN} drop`,
      `ether saddr != { ${PEER} } drop`,
      '@ll,144,8 2 @ll,176,64 != @asked drop',
      '@ll,144,8 2 update @answerers { ether saddr limit rate over 8/second burst 8 packets } drop',
      '@ll,144,8 2 fwd to "lo"',
      '@ll,144,8 1 update @askers { ether saddr limit rate over 8/second burst 8 packets } drop',
      `@ll,144,8 1 update @owed { @ll,176,64 } ether daddr set ether saddr ether saddr set ${OWN} @ll,144,8 set 2 fwd to "lsx-line"`,
      'drop',
    ]);
    expect(chain(rules, 'tunnel_out')).toEqual([
      `ether saddr != ${OWN} counter name protocol_out drop`,
      `ether daddr != { ${PEER} } counter name protocol_out drop`,
      '@ll,144,8 2 @ll,176,64 @owed accept',
      '@ll,144,8 1 meta skuid != 4294967295 update @asked { @ll,176,64 } accept',
      'counter name protocol_out drop',
    ]);
    for (const way of ['in', 'out']) {
      // behind what nearly all frames leave by
      expect(chain(rules, `port_${way}`)[3]).toBe(`ether type 0x88b6 @ll,112,32 0x4c535450 goto tunnel_${way}`);
    }
  });

  test('answer nobody without a peer, and have none of it where the kernel cannot', () => {
    expect(chain(portRules({ ...spec, tunnel: { own: OWN, peers: [] } }, true, true), 'tunnel_in')).toEqual([
      `ether daddr != ${OWN} drop`,
      'drop',
    ]);
    expect(chain(portRules({ ...spec, tunnel: { own: OWN, peers: [] } }, true, true), 'tunnel_out')).toEqual([
      'counter name protocol_out drop',
    ]);
    expect(portRules(spec, true, false)).not.toContain('tunnel');
  });
});
