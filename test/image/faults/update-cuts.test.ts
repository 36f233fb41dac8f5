import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Appliance } from '../../lab/image/appliance.ts';
import { builtImage } from '../../lab/image/image.ts';
import { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { CUTS, moments, SEED } from '../support/chance.ts';
import { bootstrap, goOn, type Office, openOffice } from '../support/office.ts';
import { expectSound } from '../support/sound.ts';
import { firmwareIs, firmwareOf, Updates } from '../support/updates.ts';

// The power fails at random moments of an update; LINKSPAN_IMAGE_SEED repeats a run.
console.info(`power cuts: LINKSPAN_IMAGE_SEED=${SEED} LINKSPAN_IMAGE_CUTS=${CUTS}`);

const FOUR_MINUTES = 240_000;
const CELL = { driver: 'bridge', subnet: '172.30.0.0/24' };
const lab = new Lab();
const name = gatewayName('half');
let office: Office;
let gateway: Appliance;
let updates: Updates;
/** What this machine takes for both halves of an update, in seconds; measured below, and cut anywhere in it. */
const takes = { install: 0, activate: 0 };

const since = (start: number): number => (performance.now() - start) / 1000;

// One update that nothing disturbs, for the times that it takes, and the states to start from.
beforeAll(async () => {
  const image = await builtImage();
  office = await openOffice(lab);
  gateway = await Appliance.unpack(lab, { name, image, provision: bootstrap(name, office.url) });
  updates = await Updates.open(lab, office, { name, image, spec: { networks: { cell: CELL } } });
  await updates.url('newer');
  await gateway.powerOn();
  await until('the broker', async () => (await gateway.status()).broker.connected, 150_000);
  await updates.withdraw();
  await until('the network', async () => (await gateway.status()).networks.length === 1, 60_000);
  await gateway.save('ready');
  const ordered = performance.now();
  await updates.order('newer', 'manual');
  await firmwareIs(gateway, ['installed'], FOUR_MINUTES);
  takes.install = since(ordered);
  await gateway.save('installed');
  const activated = performance.now();
  await updates.order('newer');
  await firmwareIs(gateway, ['committed'], FOUR_MINUTES);
  takes.activate = since(activated);
  await gateway.powerCut();
  console.info(`installed within ${takes.install.toFixed(0)} s, activated within ${takes.activate.toFixed(0)} s`);
}, 600_000);
afterAll(() => lab.close());
afterEach(() => gateway.powerCut());

describe('the power fails while an update is fetched and installed: it starts as before, and begins again', () => {
  test.each(moments(CUTS / 2, 1))(
    'at %f of the time',
    async (part) => {
      await goOn(office, gateway, name, 'ready');
      await updates.order('newer', 'manual');
      await sleep(part * takes.install * 1000);
      await gateway.powerCut();
      await gateway.powerOn();
      await expectSound(gateway, name);
      expect((await firmwareOf(gateway)).slot).toBe('A');
      await firmwareIs(gateway, ['installed'], FOUR_MINUTES);
    },
    600_000,
  );
});

describe('the power fails while a new slot is activated and proves itself: it is committed in the end', () => {
  test.each(moments(CUTS / 2, 1, SEED + 1))(
    'at %f of the time',
    async (part) => {
      await goOn(office, gateway, name, 'installed');
      await updates.order('newer');
      await sleep(part * takes.activate * 1000);
      await gateway.powerCut();
      await gateway.powerOn();
      expect(await firmwareIs(gateway, ['committed', 'rolled_back'], FOUR_MINUTES)).toMatchObject({
        state: 'committed',
        slot: 'B',
      });
      // Not before: a gateway that was not activated yet comes up, and is restarted.
      await expectSound(gateway, name);
    },
    600_000,
  );
});
