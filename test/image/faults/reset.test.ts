import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Appliance } from '../../lab/image/appliance.ts';
import { builtImage } from '../../lab/image/image.ts';
import { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { bootstrap, openOffice } from '../support/office.ts';

const lab = new Lab();
const name = gatewayName('reset');
let gateway: Appliance;

beforeAll(async () => {
  const { url } = await openOffice(lab);
  gateway = await Appliance.unpack(lab, { name, image: await builtImage(), provision: bootstrap(name, url) });
  await gateway.powerOn();
  await gateway.ready();
  await gateway.shellReady();
  await gateway.sh('echo mine >/data/keepsake; sync');
  await gateway.save('owned');
  await gateway.powerCut();
});
afterAll(() => lab.close());

beforeEach(async () => {
  await gateway.powerCut();
  await gateway.powerOn({ from: 'owned' });
  await gateway.shellReady();
});

/** Nothing of its owner's is left; another machine than before, as far as anybody can tell. */
async function expectFactoryFresh(): Promise<void> {
  await gateway.shellReady();
  await gateway.sh('timeout 90 sh -c "until systemctl is-active --quiet linkspan; do sleep 1; done"', {
    timeoutS: 100,
  });
  expect(await gateway.sh('ls /data/keepsake 2>/dev/null || echo none')).toBe('none');
  expect(await gateway.sh('linkspan status --json')).not.toContain(name);
}

test('a factory reset by the CLI', async () => {
  const before = await gateway.sh('cat /etc/machine-id');
  await gateway.startedAnew(() => gateway.run(['linkspan', 'factory-reset', '--yes']));
  await expectFactoryFresh();
  expect(await gateway.sh('cat /etc/machine-id')).not.toBe(before);
}, 240_000);

test('a factory reset by a file on the card', async () => {
  await gateway.powerOff();
  await gateway.disk.put('config', { 'factory-reset': '' });
  await gateway.powerOn();
  // The start that finds the file, and the one that it asks for
  await until('the second start', () => gateway.on.console.count(/Linkspan: slot A, /) === 2, 150_000);
  await expectFactoryFresh();
  await gateway.powerOff();
  expect(await gateway.disk.get('config', 'factory-reset')).toBeUndefined();
}, 300_000);

test('a factory reset by a kernel argument', async () => {
  await gateway.powerOff();
  const arguments_ = (await gateway.disk.get('boot', 'cmdline.txt')) ?? '';
  await gateway.disk.put('boot', { 'cmdline.txt': `${arguments_.trim()} linkspan.factory_reset\n` });
  await gateway.powerOn();
  await expectFactoryFresh();
}, 240_000);
