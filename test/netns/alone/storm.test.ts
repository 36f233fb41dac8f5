import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Lab } from '../../lab/lab.ts';
import { type Sites, twoSites } from '../../lab/sites.ts';
import { until } from '../../lab/wait.ts';
import { builtService } from '../support/built.ts';
import { apply } from '../support/documents.ts';
import { type GuardEnd, GuardLab } from '../support/guard-lab.ts';
import { startBroker } from '../support/mqtt.ts';
import { gatewayName } from '../support/names.ts';
import { arrivals, busiestSecond, roundTrip, startStorm } from '../support/storm.ts';
import { startEnd } from '../support/stretch-end.ts';

describe.each(['kernel', 'user'])('engine %s, a storm from a workload', (engine) => {
  let lab: GuardLab;
  let b: GuardEnd;

  beforeAll(async () => {
    lab = await GuardLab.start(engine);
    b = await lab.peer();
    await lab.apply([lab.a, b]);
    await until('the other site', () => lab.a.workload.reaches('10.110.0.21'));
  });
  afterAll(() => lab.lab.close());

  test('10 000 broadcasts a second: at most the limit crosses, and a ping takes at most twice as long', async () => {
    const idle = await roundTrip(lab.a.workload, '10.110.0.21');
    const end = await startStorm(lab.lab, b.workload, 'eth0', 10_000);
    let during = Number.NaN;
    const times = await arrivals(lab.lab, lab.a.workload, async () => {
      during = await roundTrip(lab.a.workload, '10.110.0.21', 300);
    });
    const sent = await end();
    process.stderr.write(
      `engine ${engine}: sent ${sent.toFixed(0)}/s, busiest second ${busiestSecond(times)}, round trip ${idle} ms idle, ${during} ms in the storm\n`,
    );
    expect(sent).toBeGreaterThan(9000);
    expect(busiestSecond(times)).toBeLessThanOrEqual(200);
    expect(during).toBeLessThanOrEqual(2 * idle);
  });

  test('who looks for a neighbour in the storm finds it', async () => {
    const end = await startStorm(lab.lab, b.workload, 'eth0', 10_000);
    await b.workload.ip('neigh', 'flush', 'all');
    await lab.a.workload.ip('neigh', 'flush', 'all');
    expect(await b.workload.reaches('10.110.0.11', 1)).toBe(true);
    await end();
  });
});

describe.each(['kernel', 'user'])('engine %s, a storm from a VTEP that guards nothing', (engine) => {
  let lab: GuardLab;

  beforeAll(async () => {
    lab = await GuardLab.start(engine);
  });
  afterAll(() => lab.lab.close());

  test('in no second more than the limit', async () => {
    const foreign = await lab.foreign();
    await lab.apply([lab.a], { bumPps: 80 });
    await until('the other site', () => lab.a.workload.reaches('10.110.0.99'));
    const end = await startStorm(lab.lab, foreign, 'foreign', 2000);
    const times = await arrivals(lab.lab, lab.a.workload, () => roundTrip(lab.a.workload, '10.110.0.99', 300));
    expect(await end()).toBeGreaterThan(1500);
    expect(busiestSecond(times)).toBeLessThanOrEqual(60);
    expect(busiestSecond(times)).toBeGreaterThan(40);
  });
});

describe.each(['kernel', 'user'])('engine %s, a storm in a plant that is stretched', (engine) => {
  const lab = new Lab();
  let sites: Sites;

  beforeAll(async () => {
    builtService();
    sites = await twoSites(lab);
    const { broker } = await startBroker(lab, sites.a.gateway, sites.a.underlay);
    const line = { driver: 'overlay', vni: 10_110, subnet: '10.20.0.0/24', engine, stretch: { uplink: 'lan' } };
    for (const [key, site] of [
      ['a', sites.a],
      ['b', sites.b],
    ] as const) {
      // A veth claims to finish checksums inside a tunnel, and does not.
      await site.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
      const name = gatewayName(`${engine}-${key}`);
      const { gateway } = await startEnd(lab, site, { name, broker: broker.url, address: '' });
      await apply(gateway, 1, { uplinks: { lan: { interface: 'lan0' } }, networks: { line } });
    }
    await until('the PLCs to reach each other', () => sites.b.plc.reaches('10.20.0.10'));
  });
  afterAll(() => lab.close());

  test('the other plant has the limit at most, and unicast its pace', async () => {
    const { a, b } = sites;
    const idle = await roundTrip(b.plc, a.plcAddress);
    const end = await startStorm(lab, a.plc, 'eth0', 10_000);
    let stormy = Number.NaN;
    const times = await arrivals(lab, b.plc, async () => {
      stormy = await roundTrip(b.plc, a.plcAddress);
      await sleep(2000);
    });
    expect(await end()).toBeGreaterThan(5000);
    expect(busiestSecond(times)).toBeLessThanOrEqual(200);
    expect(busiestSecond(times)).toBeGreaterThan(50);
    expect(stormy).toBeLessThan(2 * idle + 0.2);
  });
});
