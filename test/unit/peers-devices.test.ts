import { describe, expect, test } from '@jest/globals';
import { type MacEntry, SEQUENCE_MAX } from '../../src/model/peer.ts';
import { DEVICES_MAX, DeviceClaims } from '../../src/peers/devices.ts';
import { MOVES_MAX, MOVES_MS, RECOVERY_MS } from '../../src/peers/moves.ts';
import { Publisher } from '../../src/peers/publisher.ts';
import { systemClock } from '../../src/service/clock.ts';
import { mac, vni } from './support/values.ts';

const VNI = vni(7);
const [PLC, ROBOT] = [mac('02:00:00:00:00:0a'), mac('02:00:00:00:00:0b')];
const entry = (m: MacEntry['m'], q: number, s: 0 | 1 = 0): MacEntry => ({ m, ip: [], q, s });

function claims(): { devices: DeviceClaims; pass: (ms: number) => void } {
  let now = 0;
  const devices = new DeviceClaims({ now: () => now, monotonic: () => now });
  return { devices, pass: (ms) => void (now += ms) };
}

function toAndFro(moves: number, every = 0): ReturnType<typeof claims> & { move: (q: number) => void } {
  const { devices, pass } = claims();
  const move = (q: number): void => {
    devices.update([{ vni: VNI, seen: [], remote: [entry(ROBOT, q)] }]);
    devices.update([{ vni: VNI, seen: [ROBOT], remote: [entry(ROBOT, q)] }]);
    pass(every);
  };
  for (let count = 0; count < moves; count += 1) move(count);
  return { devices, pass, move };
}

describe('the devices that a gateway tells its peers', () => {
  test('are those that it sees, in an order that does not change, and none that it no longer sees', () => {
    const { devices } = claims();
    devices.update([{ vni: VNI, seen: [ROBOT, PLC], remote: [] }]);
    expect(devices.entries(VNI)).toEqual([entry(PLC, 0), entry(ROBOT, 0)]);
    devices.update([{ vni: VNI, seen: [PLC, ROBOT], remote: [] }]);
    expect(devices.entries(VNI)).toEqual([entry(PLC, 0), entry(ROBOT, 0)]);
    devices.update([{ vni: VNI, seen: [ROBOT], remote: [] }]);
    expect(devices.entries(VNI)).toEqual([entry(ROBOT, 0)]);
    devices.update([]);
    expect(devices.macs.size).toBe(0);
  });

  test('one that comes from a peer has a higher number than there, and keeps it while it stays', () => {
    const { devices } = claims();
    devices.update([{ vni: VNI, seen: [ROBOT], remote: [entry(ROBOT, 4)] }]);
    expect(devices.entries(VNI)).toEqual([entry(ROBOT, 5)]);
    // The peer's newer word is not answered with a higher one: the bridge is told first that the device has gone.
    devices.update([{ vni: VNI, seen: [ROBOT], remote: [entry(ROBOT, 6)] }]);
    expect(devices.entries(VNI)).toEqual([entry(ROBOT, 5)]);
    expect(devices.yields(VNI, ROBOT)).toBe(true);
  });

  test('one that a peer takes, and that is here still after the bridge was told, takes the next number', () => {
    const { devices } = claims();
    devices.update([{ vni: VNI, seen: [PLC, ROBOT], remote: [] }]);
    for (const q of [3, 7]) {
      devices.update([{ vni: VNI, seen: [PLC, ROBOT], remote: [entry(ROBOT, q)] }]);
      expect(devices.entries(VNI)).not.toContainEqual(entry(ROBOT, q + 1));
      devices.update([{ vni: VNI, seen: [PLC, ROBOT], remote: [entry(ROBOT, q)] }]);
      expect(devices.entries(VNI)).toEqual([entry(PLC, 0), entry(ROBOT, q + 1)]);
      expect(devices.yields(VNI, ROBOT)).toBe(false);
    }
  });

  test('a MAC that is a workload’s elsewhere is not claimed', () => {
    const { devices } = claims();
    devices.update([{ vni: VNI, seen: [PLC], remote: [entry(PLC, 0, 1)] }]);
    expect(devices.entries(VNI)).toEqual([]);
    expect(devices.unclaimed).toEqual([{ vni: VNI, mac: PLC, why: 'workload' }]);
  });

  test('one whose MAC a workload elsewhere has come to have is told of as long as that has it', () => {
    const { devices } = claims();
    const look = (remote: readonly MacEntry[], ...seen: MacEntry['m'][]): void =>
      devices.update([{ vni: VNI, seen, remote }]);
    look([], PLC, ROBOT);
    // Whatever it sends now, the bridge does not learn it.
    for (let count = 0; count < 2; count += 1) {
      look([entry(PLC, 0, 1)], ROBOT);
      expect(devices.entries(VNI)).toEqual([entry(ROBOT, 0)]);
      expect(devices.unclaimed).toEqual([{ vni: VNI, mac: PLC, why: 'workload' }]);
    }
    look([], ROBOT);
    expect(devices.unclaimed).toEqual([]);
    look([entry(PLC, 0, 1)], ROBOT);
    expect(devices.unclaimed).toEqual([]);
  });

  describe('one that goes to and fro', () => {
    test('is left alone after the sixth move in three minutes, for half an hour', () => {
      const { devices, pass, move } = toAndFro(MOVES_MAX);
      expect(devices.entries(VNI)).toEqual([entry(ROBOT, MOVES_MAX)]);
      move(9);
      expect(devices.entries(VNI)).toEqual([]);
      expect(devices.unclaimed).toEqual([{ vni: VNI, mac: ROBOT, why: 'moves' }]);
      pass(RECOVERY_MS - 1);
      move(9);
      expect(devices.unclaimed).toEqual([{ vni: VNI, mac: ROBOT, why: 'moves' }]);
      pass(1);
      move(9);
      expect(devices.entries(VNI)).toEqual([entry(ROBOT, 10)]);
      expect(devices.unclaimed).toEqual([]);
    });

    test('stays so where the other gateway has left it alone too', () => {
      const { devices } = toAndFro(MOVES_MAX + 1);
      devices.update([{ vni: VNI, seen: [ROBOT], remote: [] }]);
      expect(devices.unclaimed).toEqual([{ vni: VNI, mac: ROBOT, why: 'moves' }]);
    });

    test('is an ordinary one again once somebody says so', () => {
      const { devices, move } = toAndFro(MOVES_MAX + 1);
      expect([devices.clear(VNI, PLC), devices.clear(VNI, ROBOT), devices.clear(VNI, ROBOT)]).toEqual([
        false,
        true,
        false,
      ]);
      move(9);
      expect(devices.entries(VNI)).toEqual([entry(ROBOT, 10)]);
    });

    test('more slowly than that is what a device may do', () => {
      const { devices } = toAndFro(3 * MOVES_MAX, MOVES_MS / MOVES_MAX);
      expect(devices.unclaimed).toEqual([]);
    });
  });

  test('one that a peer has given the highest number has that here too: no record may bear a higher one', () => {
    const { devices } = claims();
    devices.update([{ vni: VNI, seen: [ROBOT], remote: [entry(ROBOT, SEQUENCE_MAX)] }]);
    expect(devices.entries(VNI)).toEqual([entry(ROBOT, SEQUENCE_MAX)]);
  });

  test('of any number, fit into one record, and take no time', () => {
    const { devices } = claims();
    const many = Array.from({ length: 50_000 }, (_, n) => mac(`04:00:00:00:${hex(n >> 8)}:${hex(n & 255)}`));
    const started = performance.now();
    devices.update([{ vni: VNI, seen: many, remote: [] }]);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(devices.unclaimed).toHaveLength(50_000 - DEVICES_MAX);
    const truncated: unknown[] = [];
    const onTruncated = (...told: unknown[]): void => void truncated.push(told);
    const publisher = new Publisher({ fleet: 'plant', gateway: 'gw-a', epoch: 1, clock: systemClock, onTruncated });
    const local = { vni: VNI, mtu: 1450, bum: 'replicate', macs: devices.entries(VNI) };
    publisher.update({ vteps: [{ ip: '192.0.2.1', port: 4789 }], networks: [local] });
    expect(truncated).toEqual([]);
  });

  test('that come and go without an end are published more and more rarely, and networks at once', () => {
    const { devices, pass } = claims();
    const sets = new Set<string>();
    for (let second = 0; second < 600; second += 1) {
      devices.update([
        { vni: VNI, seen: [PLC, mac(`04:00:00:00:${hex(second >> 8)}:${hex(second & 255)}`)], remote: [] },
      ]);
      sets.add(JSON.stringify(devices.entries(VNI)));
      pass(1000);
    }
    expect(sets.size).toBeGreaterThan(60);
    expect(sets.size).toBeLessThanOrEqual(120);
    const last = { vni: VNI, seen: [ROBOT], remote: [] };
    devices.update([last, { ...last, vni: vni(8) }]);
    expect(devices.entries(vni(8))).toEqual([entry(ROBOT, 0)]);
    devices.update([]);
    expect(devices.macs.size).toBe(0);
    pass(10_000);
    devices.update([last]);
    expect(devices.entries(VNI)).toEqual([entry(ROBOT, 0)]);
  });

  test('are so many at most, and those that are published stay', () => {
    const { devices } = claims();
    const many = Array.from({ length: DEVICES_MAX }, (_, n) => mac(`04:00:00:00:${hex(n >> 8)}:${hex(n & 255)}`));
    devices.update([{ vni: VNI, seen: many, remote: [] }]);
    devices.update([{ vni: VNI, seen: [PLC, ...many], remote: [] }]);
    expect(devices.entries(VNI)).toHaveLength(DEVICES_MAX);
    expect(devices.unclaimed).toEqual([{ vni: VNI, mac: PLC, why: 'full' }]);
  });
});

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
