import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Appliance } from '../../lab/image/appliance.ts';
import { type BuiltImage, builtImage } from '../../lab/image/image.ts';
import { Lab, withLab } from '../../lab/lab.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { CUTS, moments, SEED } from '../support/chance.ts';
import { APPLY_MS, bootstrap, goOn, type Office, openOffice } from '../support/office.ts';
import { expectSound } from '../support/sound.ts';

// The power fails at random moments; LINKSPAN_IMAGE_SEED repeats a run.
console.info(`power cuts: LINKSPAN_IMAGE_SEED=${SEED} LINKSPAN_IMAGE_CUTS=${CUTS}`);

/** What a first boot takes in emulation until nothing more is made or grown, linkspand's database being the last. */
const FIRST_BOOT_S = 75;
const CONFIGURATION_S = 5;
/** Two, since a gateway that has lost its state is taken for a second of its name by one that was saved. */
const [newborn, name] = [gatewayName('new'), gatewayName('cut')];
const lab = new Lab();
let office: Office;
let image: BuiltImage;

const documentOf = (version: number): string =>
  JSON.stringify({
    v: 1,
    version,
    spec: { networks: { [`cell${version}`]: { driver: 'bridge', subnet: `172.30.${version}.0/24` } } },
  });

/** The version that the operator has seen accepted. */
const acceptedVersion = (): number => Number(office.operator.topic(`gw/${name}/reported`)?.['applied_version'] ?? 1);

/** One document after the other, until the moment; returns the last one's version. */
async function ask(moment: number): Promise<number> {
  const end = performance.now() + moment * 1000;
  let version = 1;
  while (performance.now() < end) {
    version += 1;
    await office.operator.publishDesired(name, documentOf(version));
    await sleep(Math.min(400, Math.max(0, end - performance.now())));
  }
  return version;
}

beforeAll(async () => {
  image = await builtImage();
  office = await openOffice(lab);
});
afterAll(() => lab.close());

describe('the power fails during the first boot', () => {
  test.each(moments(CUTS, FIRST_BOOT_S))('after %f s', async (moment) => {
    await withLab(async (own) => {
      const gateway = await Appliance.unpack(own, { name: newborn, image, provision: bootstrap(newborn, office.url) });
      await gateway.powerOn();
      await sleep(moment * 1000);
      await gateway.powerCut();
      await gateway.powerOn();
      await expectSound(gateway, newborn);
      expect(await gateway.sh('systemctl --failed --plain --no-legend')).toBe('');
    });
  });
});

describe('the power fails while it is being configured', () => {
  let gateway: Appliance;

  beforeAll(async () => {
    gateway = await Appliance.unpack(lab, { name, image, provision: bootstrap(name, office.url) });
    await gateway.powerOn();
    await gateway.ready();
    await office.operator.apply(name, documentOf(1), APPLY_MS);
    await gateway.save('configured');
    await gateway.powerCut();
  });
  afterEach(() => gateway.powerCut());

  test.each(moments(CUTS, CONFIGURATION_S, SEED + 1))('after %f s', async (moment) => {
    await goOn(office, gateway, name, 'configured');
    const asked = await ask(moment);
    await gateway.powerCut();
    const accepted = acceptedVersion();
    await office.operator.publish(`gw/${name}/desired`, undefined);
    await gateway.powerOn();
    const version = (await expectSound(gateway, name)) ?? 0;
    expect(version).toBeGreaterThanOrEqual(accepted);
    expect(version).toBeLessThanOrEqual(asked);
  });
});
