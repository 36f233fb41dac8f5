import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Appliance } from '../../lab/image/appliance.ts';
import { builtImage } from '../../lab/image/image.ts';
import { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { bootstrap, type Office, openOffice } from '../support/office.ts';
import { firmwareIs, Updates } from '../support/updates.ts';

const FOUR_MINUTES_S = 240;
const PATIENCE_MS = 600_000;
const lab = new Lab();
const name = gatewayName('timed');
let office: Office;
let gateway: Appliance;
let updates: Updates;

beforeAll(async () => {
  const image = await builtImage();
  office = await openOffice(lab);
  gateway = await Appliance.unpack(lab, { name, image, provision: bootstrap(name, office.url) });
  updates = await Updates.open(lab, office, { name, image });
  for (const bundle of ['newer', 'panicking'] as const) await updates.url(bundle);
  await gateway.powerOn();
  await until('the broker', async () => (await gateway.status()).broker.connected, PATIENCE_MS);
}, PATIENCE_MS);
afterAll(() => lab.close());

async function timeOf(bundle: 'newer' | 'panicking', end: 'committed' | 'rolled_back'): Promise<number> {
  const ordered = gateway.seconds();
  const version = await updates.order(bundle);
  const told = await firmwareIs(gateway, ['committed', 'rolled_back', 'refused', 'failed'], PATIENCE_MS, version);
  expect(told).toMatchObject({ state: end, target_version: version });
  return gateway.seconds() - ordered;
}

test('from the order, an update is committed within four minutes, and one that panics is rolled back', async () => {
  const committed = await timeOf('newer', 'committed');
  const rolledBack = await timeOf('panicking', 'rolled_back');
  console.info(`committed after ${committed.toFixed(0)} s, rolled back after ${rolledBack.toFixed(0)} s`);
  expect(committed).toBeLessThan(FOUR_MINUTES_S);
  expect(rolledBack).toBeLessThan(FOUR_MINUTES_S);
}, 1_500_000);
