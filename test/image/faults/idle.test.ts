import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Appliance } from '../../lab/image/appliance.ts';
import { builtImage } from '../../lab/image/image.ts';
import { Lab } from '../../lab/lab.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { APPLY_MS, bootstrap, type Office, openOffice } from '../support/office.ts';

/** What a start leaves to be written has been by then. */
const SETTLE_MS = 120_000;
const WINDOW_MS = 600_000;
const DAY_MS = 86_400_000;
const MOST_A_DAY = 10_000_000;

const lab = new Lab();
const name = gatewayName('idle');
let office: Office;
let gateway: Appliance;

beforeAll(async () => {
  office = await openOffice(lab);
  gateway = await Appliance.unpack(lab, { name, image: await builtImage(), provision: bootstrap(name, office.url) });
  await gateway.powerOn();
  await gateway.ready();
  const cell = { driver: 'bridge', subnet: '172.30.0.0/24' };
  await office.operator.apply(name, JSON.stringify({ v: 1, version: 1, spec: { networks: { cell } } }), APPLY_MS);
});
afterAll(() => lab.close());

// Ten minutes stand for a day: what happens once a day only is not in them.
test(
  'an idle gateway writes at most 10 MB a day to its disk, going by ten minutes',
  async () => {
    await sleep(SETTLE_MS);
    const before = await gateway.written();
    await sleep(WINDOW_MS);
    const aDay = ((await gateway.written()) - before) * (DAY_MS / WINDOW_MS);
    console.info(`idle: ${((await gateway.written()) - before) / 1000} kB in ten minutes, ${aDay / 1e6} MB a day`);
    expect(aDay).toBeLessThan(MOST_A_DAY);
  },
  SETTLE_MS + WINDOW_MS + 60_000,
);
