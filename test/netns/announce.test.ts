import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { announceAll, type Reminded } from '../../src/reconcile/reminder.ts';
import { withLab } from '../lab/lab.ts';
import { until } from '../lab/wait.ts';
import { Capture } from './support/capture.ts';
import { mac } from './support/frames.ts';

const COUNT = 60;

test('many workloads are announced a few at a time, so that the limit between sites lets all of them cross', async () => {
  await withLab(async (lab) => {
    const [at, wire] = [await lab.namespace('many'), await lab.namespace('wire')];
    await lab.veth(at, 'eth0', wire, 'eth0');
    const all = Array.from({ length: COUNT }, (_, n) => {
      const endpoint = {
        sandbox: { kind: 'netns', name: at.name },
        addresses: [{ family: 4, address: `10.20.0.${n + 1}` }],
      };
      return { name: 'eth0', spec: { endpoint, attachment: { type: 'macvlan' }, seenMac: mac('02:00:00:00:00:01') } };
    });
    const capture = await Capture.start(lab, wire, 'eth0', '-Q', 'in', 'arp');
    announceAll(all as unknown as readonly Reminded[]);
    await sleep(500);
    const soon = capture.text().match(/who-has/g)?.length ?? 0;
    expect(soon).toBeGreaterThan(0);
    expect(soon).toBeLessThanOrEqual(COUNT / 2);
    await until('each three times', () => capture.text().match(/who-has/g)?.length === COUNT * 3);
    expect(new Set([...capture.text().matchAll(/who-has (\S+)/g)].map(([, address]) => address)).size).toBe(COUNT);
  });
});
