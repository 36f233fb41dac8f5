import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Appliance } from '../../lab/image/appliance.ts';
import { builtImage } from '../../lab/image/image.ts';
import { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { bootstrap, openOffice } from '../support/office.ts';
import { expectSound } from '../support/sound.ts';

const lab = new Lab();
const name = gatewayName('hang');
let gateway: Appliance;

beforeAll(async () => {
  const { url } = await openOffice(lab);
  gateway = await Appliance.unpack(lab, { name, image: await builtImage(), provision: bootstrap(name, url) });
  await gateway.powerOn();
  await gateway.ready();
  await gateway.shellReady();
});
afterAll(() => lab.close());

const pid = (): Promise<string> => gateway.sh('systemctl show --value -p MainPID linkspan');

test('a service whose event loop is blocked is started again by systemd', async () => {
  const before = await pid();
  await gateway.run(['kill', '-STOP', before]);
  await until('another process', async () => !['0', before].includes(await pid()), 90_000);
  await until('it to answer', async () => (await gateway.get('/healthz')).status > 0, 60_000);
  expect(await gateway.sh('journalctl -b -u linkspan --no-pager')).toMatch(/Watchdog timeout/);
  await expectSound(gateway, name);
}, 180_000);

test('a system whose first process hangs is reset by the hardware watchdog', async () => {
  await gateway.restarted(() => gateway.sh('echo 1 >/sys/fs/cgroup/init.scope/cgroup.freeze'), 240_000);
  expect(gateway.on.monitor.events.map(({ name: event }) => event)).toContain('WATCHDOG');
  await expectSound(gateway, name);
}, 300_000);

test('a kernel that panics starts again by itself', async () => {
  await gateway.restarted(() => gateway.sh('echo c >/proc/sysrq-trigger'));
  expect(gateway.on.console.count(/Kernel panic/)).toBe(1);
  await expectSound(gateway, name);
}, 180_000);
