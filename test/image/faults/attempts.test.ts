import { afterAll, expect, test } from '@jest/globals';
import { Appliance } from '../../lab/image/appliance.ts';
import { builtImage } from '../../lab/image/image.ts';
import { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { bootstrap, openOffice } from '../support/office.ts';
import { expectSound } from '../support/sound.ts';

/** Of a slot that was seen working. */
const ATTEMPTS = 8;
const AGAIN = /no slot has attempts left/;

const lab = new Lab();
afterAll(() => lab.close());

test('power cuts in the boot loader use up the attempts: all over again, by the slot that was seen working alone', async () => {
  const name = gatewayName('attempts');
  const { url } = await openOffice(lab);
  const gateway = await Appliance.unpack(lab, { name, image: await builtImage(), provision: bootstrap(name, url) });

  /** Switched on, and off again once U-Boot has noted its attempt; returns what it said of it. */
  async function attempt(): Promise<string> {
    await gateway.powerOn();
    const { console } = gateway.on;
    await until('a slot to be picked', () => console.seen(/Linkspan: slot/), 60_000);
    const said = /Linkspan: slot (.*) after/.exec(console.text())?.[1] ?? '';
    const again = console.count(AGAIN);
    await gateway.powerCut();
    return again > 0 ? `again, ${said}` : said;
  }
  const said: string[] = [];
  for (let nth = 0; nth <= ATTEMPTS; nth += 1) said.push(await attempt());
  const left = Array.from({ length: ATTEMPTS }, (_, nth) => `A, ${ATTEMPTS - 1 - nth} attempts left`);
  expect(said).toEqual([...left, 'again, A, 2 attempts left']);
  await gateway.powerOn();
  await expectSound(gateway, name);
  // The other one never worked: it got none.
  expect(await gateway.sh('/usr/lib/linkspan/firmware/boot-state show')).toMatch(/^BOOT_B_LEFT=0$/m);
});
