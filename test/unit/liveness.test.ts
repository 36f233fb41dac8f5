import { describe, expect, test } from '@jest/globals';
import { Pulse } from '../../src/peers/liveness/pulse.ts';
import { Pulses } from '../../src/peers/liveness/pulses.ts';
import { together } from '../../src/peers/liveness/verdict.ts';

const SECOND = 1000;

/** Runs a pulse from `from` to `to`; `answers` says how long the answer to a probe takes, or that there is none. */
function run(
  pulse: Pulse,
  [from, to]: readonly [number, number],
  answers: (at: number) => number | undefined,
): string[] {
  const seen: string[] = [];
  const replies: { at: number; sequence: number }[] = [];
  const note = (now: number, before: string): void => {
    if (pulse.state !== before) seen.push(`${now} ${pulse.state}`);
  };
  for (let now = from; now <= to; now += 1) {
    const before = pulse.state;
    for (const reply of replies.filter(({ at }) => at === now)) pulse.answer(reply.sequence, now, SECOND);
    if (pulse.due <= now) {
      const trip = answers(now);
      pulse.probe(now, now, SECOND);
      if (trip !== undefined) replies.push({ at: now + trip, sequence: now });
    }
    note(now, before);
  }
  return seen;
}

describe('one VTEP', () => {
  test('is asked once a second while it answers', () => {
    const pulse = new Pulse(0);
    let probes = 0;
    run(pulse, [0, 9999], () => {
      probes += 1;
      return 2;
    });
    expect([probes, pulse.state, pulse.rtt, pulse.answered]).toEqual([10, 'up', 2, 9002]);
  });

  test('is suspect a second after the first missed probe, and down three after its last answer', () => {
    const seen = run(new Pulse(0), [0, 9000], (at) => (at <= 2000 ? 1 : undefined));
    expect(seen).toEqual(['1 up', '4000 suspect', '5000 down']);
  });

  test('that loses every second answer is never down', () => {
    let count = 0;
    const seen = run(new Pulse(0), [0, 60_000], () => ((count += 1) % 2 === 0 ? undefined : 5));
    expect(seen.some((line) => line.endsWith('down'))).toBe(false);
  });

  test.each([600, 900, 1800])('over a way of %d ms each way and back is not down', (trip) => {
    const seen = run(new Pulse(0), [0, 60_000], () => trip);
    expect(seen.filter((line) => line.endsWith('down'))).toEqual([]);
  });

  test('whose gateway is said to be gone is asked at once: down within a second and a half, or up as before', () => {
    const [dead, living] = [new Pulse(0), new Pulse(0)];
    run(dead, [0, 2100], () => 1);
    run(living, [0, 2100], () => 1);
    dead.hurry(2101);
    living.hurry(2101);
    const seen = run(dead, [2101, 9000], () => undefined);
    expect(seen.map((line) => line.split(' ')[1])).toEqual(['suspect', 'down']);
    expect(Number(seen[1]?.split(' ')[0])).toBeLessThanOrEqual(2101 + 1500);
    expect(run(living, [2101, 9000], () => 1)).toEqual([]);
  });

  test('that is down is up with its first answer', () => {
    const seen = run(new Pulse(0), [0, 30_000], (at) => (at < 1000 || at > 20_000 ? 1 : undefined));
    expect(seen.map((line) => line.split(' ')[1])).toEqual(['up', 'suspect', 'down', 'up']);
    expect(Number(seen[3]?.split(' ')[0])).toBeLessThanOrEqual(21_001);
  });

  test('that has never answered is never down, and soon asked rarely', () => {
    const pulse = new Pulse(0);
    let probes = 0;
    run(pulse, [0, 100_000], () => {
      probes += 1;
      return undefined;
    });
    pulse.hurry(100_000);
    expect([pulse.state, run(pulse, [100_001, 130_000], () => undefined)]).toEqual(['unprobed', []]);
    expect(probes).toBeLessThan(20);
  });

  test('is not told to live by an answer to no probe, nor twice by one', () => {
    const pulse = new Pulse(0);
    pulse.probe(7, 0, SECOND);
    expect([pulse.answer(8, 1, SECOND), pulse.answer(7, 2, SECOND), pulse.answer(7, 3, SECOND)]).toEqual([
      false,
      true,
      false,
    ]);
  });
});

const ips = (count: number): Set<string> => new Set(Array.from({ length: count }, (_, n) => `198.51.100.${n}`));

/** The most probes that go together. */
const busiest = (count: number): number => {
  const pulses = new Pulses();
  pulses.follow(ips(count), 0);
  let most = 0;
  let sequence = 0;
  for (let now = 0; now < 20_000; now += 10) {
    let inTurn = 0;
    const sent: [string, number][] = [];
    pulses.take(now, (ip) => {
      sequence += 1;
      inTurn += 1;
      sent.push([ip, sequence]);
      return sequence;
    });
    for (const [ip, number] of sent) pulses.answer(ip, number, now + 1);
    if (now >= 10_000) most = Math.max(most, inTurn);
  }
  return most;
};

describe('many VTEPs', () => {
  test('are asked spread over time, and no more than two hundred times a second', () => {
    expect(busiest(100)).toBeLessThanOrEqual(2);
    expect(busiest(1000)).toBeLessThanOrEqual(3);
    const pulses = new Pulses();
    expect([50, 200, 1000].map((count) => (pulses.follow(ips(count), 0), pulses.intervalOf('198.51.100.0')))).toEqual([
      1000, 1000, 5000,
    ]);
  });

  test('one that is no longer to be asked is forgotten; the others keep what is known of them', () => {
    const pulses = new Pulses();
    pulses.follow(ips(2), 0);
    const changes = [...pulses.take(10, (ip) => (ip.endsWith('0') ? 1 : 2)), ...pulses.answer('198.51.100.0', 1, 12)];
    expect(changes).toEqual([{ ip: '198.51.100.0', from: 'unprobed', to: 'up' }]);
    pulses.follow(ips(1), 20);
    expect([pulses.of('198.51.100.0')?.state, pulses.of('198.51.100.1')]).toEqual(['up', undefined]);
    expect(pulses.answer('198.51.100.1', 2, 30)).toEqual([]);
  });
});

const beat = (state: Pulse['state'], answered?: number, missed = 0): Pick<Pulse, 'state' | 'answered' | 'missed'> => ({
  state,
  answered,
  missed,
});

describe('pings and probes through VXLAN together', () => {
  const [up, suspect, down, never] = [
    beat('up', 9000),
    beat('suspect', 9000, 1),
    beat('down', 5000, 5),
    beat('unprobed'),
  ];

  test.each([
    ['without VXLAN’s', suspect, undefined, 'suspect'],
    ['where VXLAN has never answered', down, never, 'down'],
    ['where neither has', never, never, 'unprobed'],
    ['where pings have never been answered', never, up, 'up'],
    ['where pings have never been, and VXLAN is not any more', never, down, 'down'],
    ['where pings cease', down, up, 'up'],
    ['where VXLAN ceases', up, down, 'up'],
    ['where VXLAN has ceased, and a ping is missed', suspect, down, 'suspect'],
    ['where pings have ceased, and VXLAN misses one', down, suspect, 'suspect'],
    ['where both have ceased', down, down, 'down'],
    ['where both fell silent together, and three of VXLAN’s are missed', down, beat('suspect', 5900, 3), 'down'],
    ['where pings ceased before, and three of VXLAN’s are missed', down, beat('suspect', 9000, 3), 'suspect'],
    ['where both fell silent together, and two of VXLAN’s are missed', down, beat('suspect', 5000, 2), 'suspect'],
  ] as const)('%s', (_where, echo, tunnel, state) => {
    expect(together(echo, tunnel)).toBe(state);
  });

  test.each([
    ['cannot be asked at present', undefined, { state: 'up', answered: 9000 }, 'suspect'],
    ['is asked anew', beat('unprobed', undefined, 4), { state: 'suspect', answered: 9000 }, 'suspect'],
    ['is asked anew, in vain', beat('unprobed', undefined, 5), { state: 'suspect', answered: 9000 }, 'down'],
    ['had ceased too', undefined, { state: 'down', answered: 9000 }, 'down'],
    ['was not the last to answer', undefined, { state: 'up', answered: 5900 }, 'down'],
    ['has never answered', undefined, { state: 'suspect' }, 'down'],
  ] as const)('where pings have ceased, and VXLAN %s', (_where, tunnel, before, state) => {
    expect(together(down, tunnel, before)).toBe(state);
  });
});

test('who is asked rarely while all is well is asked at once when in doubt, and each second while nothing else answers', () => {
  const calm = { ms: 10_000 };
  const pulses = new Pulses(() => calm.ms);
  pulses.follow(ips(1), 0);
  const asked: number[] = [];
  const pass = (from: number, to: number, answers: boolean): void => {
    for (let now = from; now < to; now += 10) {
      const sent: number[] = [];
      pulses.take(now, () => {
        asked.push(now);
        sent.push(now);
        return now;
      });
      if (answers) for (const sequence of sent) pulses.answer('198.51.100.0', sequence, now + 1);
    }
  };
  pass(0, 25_000, true);
  expect(asked).toEqual([0, 10_000, 20_000]);
  calm.ms = 1000;
  pulses.of('198.51.100.0')?.hurry(25_000);
  pass(25_000, 28_000, true);
  expect(asked.slice(3)).toEqual([25_000, 26_000, 27_000]);
  pass(28_000, 32_000, false);
  expect(pulses.of('198.51.100.0')?.state).toBe('down');
  // 141 peers, each rarely: never many at once, nor more than the pings
  const many = new Pulses(() => 10_000);
  many.follow(ips(141), 0);
  let most = 0;
  for (let now = 0; now < 40_000; now += 50) {
    const sent: string[] = [];
    many.take(now, (ip) => sent.push(ip));
    for (const [at, ip] of sent.entries()) many.answer(ip, at + 1, now + 1);
    most = Math.max(most, sent.length);
  }
  expect(most).toBeLessThanOrEqual(11);
});
