import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Appliance } from '../../lab/image/appliance.ts';
import { builtImage } from '../../lab/image/image.ts';
import { Lab } from '../../lab/lab.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { usedMemory } from '../support/memory.ts';
import { bootstrap, openOffice } from '../support/office.ts';

// What an emulated start takes depends on the machine below, so this is apart from what must pass on any.

const STARTS = 5;
const FIRST_ANSWER_S = 35;
const MEMORY_MB = 250;
const lab = new Lab();
const name = gatewayName('start');
let gateway: Appliance;

beforeAll(async () => {
  const { url } = await openOffice(lab);
  gateway = await Appliance.unpack(lab, { name, image: await builtImage(), provision: bootstrap(name, url) });
});
afterAll(() => lab.close());

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

test('the status page answers 35 s after power-on, and all that runs takes at most 250 MB', async () => {
  const answers: number[] = [];
  for (let start = 0; start <= STARTS; start += 1) {
    await gateway.powerOn();
    answers.push(await gateway.answers());
    await gateway.shellReady();
    await gateway.run(['systemctl', 'is-system-running', '--wait'], { allowFailure: true, timeoutS: 240 });
    if (start < STARTS) await gateway.powerCut();
  }
  const [first = 0, ...later] = answers;
  const memory = await usedMemory(gateway);
  console.info(`first start ${first.toFixed(1)} s, then ${later.map((at) => at.toFixed(1)).join(' ')} s; ${memory} MB`);
  expect(memory).toBeLessThanOrEqual(MEMORY_MB);
  expect(median(later)).toBeLessThan(FIRST_ANSWER_S);
  expect(first).toBeLessThan(FIRST_ANSWER_S);
}, 1_800_000);
