import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Appliance } from '../../lab/image/appliance.ts';
import { type BuiltImage, builtImage } from '../../lab/image/image.ts';
import { Lab } from '../../lab/lab.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { APPLY_MS, bootstrap, type Office, openOffice } from '../support/office.ts';
import { expectSound } from '../support/sound.ts';

const lab = new Lab();
const name = gatewayName('data');
let office: Office;
let image: BuiltImage;
let gateway: Appliance;

const CELL = { v: 1, version: 1, spec: { networks: { cell: { driver: 'bridge', subnet: '172.30.0.0/24' } } } };

/** All that others may use, in an instant, and what is set aside for root, which would be root's to write. */
const FILL = `
  fallocate -l "$(df --output=avail -B1 /data | tail -n 1)" /data/ballast
  dd if=/dev/zero of=/data/crumbs bs=64k 2>/dev/null || true
  sync`;

const SERVICE_UP = 'timeout 90 sh -c "until systemctl is-active --quiet linkspan; do sleep 1; done"';

async function reachableByDefaults(box: Appliance): Promise<void> {
  await box.shellReady();
  await box.sh(SERVICE_UP, { timeoutS: 100 });
  await box.run(['linkspan', 'status', '--json']);
}

beforeAll(async () => {
  image = await builtImage();
  office = await openOffice(lab);
});
afterAll(() => lab.close());

beforeEach(async () => {
  gateway = await Appliance.unpack(lab, { name, image, provision: bootstrap(name, office.url) });
});
afterEach(() => gateway.powerCut());

test('a full data partition: what runs goes on, it starts again, and takes orders once there is room', async () => {
  await gateway.powerOn();
  await gateway.ready();
  await office.operator.apply(name, JSON.stringify(CELL), APPLY_MS);
  await gateway.shellReady();
  await gateway.sh(FILL, { timeoutS: 120 });
  expect(await gateway.sh('df --output=avail -BM /data | tail -1 | tr -d " M"')).toBe('0');
  await gateway.reboot();
  expect((await gateway.status()).config.applied_version).toBe(1);
  expect((await gateway.status()).networks).toMatchObject([{ name: 'cell', problem: null }]);
  await gateway.sh('rm /data/ballast /data/crumbs');
  await office.operator.apply(name, JSON.stringify({ ...CELL, version: 2 }), APPLY_MS);
  expect(await expectSound(gateway, name)).toBe(2);
}, 400_000);

/** ext4's superblock and its copies, with what lies behind them; in MiB. */
const SUPERBLOCKS = [0, 128, 384, 640, 896, 1152];

test('a data partition beyond repair is made anew: reachable by the defaults, and a report on the card', async () => {
  await gateway.powerOn();
  await gateway.ready();
  await gateway.powerCut();
  for (const from of SUPERBLOCKS) await gateway.disk.damage('data', from, 20);
  await gateway.powerOn();
  await reachableByDefaults(gateway);
  await gateway.powerOff();
  expect(await gateway.disk.get('config', 'linkspan-report.txt')).toMatch(/beyond repair/);
}, 300_000);

test('a damaged data partition is mended, and a report says so', async () => {
  await gateway.powerOn();
  await gateway.ready();
  await gateway.powerCut();
  await gateway.disk.damage('data', 0, 1);
  await gateway.powerOn();
  await gateway.shellReady();
  await gateway.sh(SERVICE_UP, { timeoutS: 100 });
  await gateway.powerOff();
  expect(await gateway.disk.get('config', 'linkspan-report.txt')).toMatch(/damaged/);
}, 300_000);

test.each([
  ['that is no YAML', 'gateway: ['],
  ['with a key that there is not', 'gatewai: x\n'],
  ['that is larger than any', `# ${'x'.repeat(2_000_000)}\n`],
])(
  'a file on the card %s: a report beside it, and reachable by its defaults',
  async (_, text) => {
    const other = await Appliance.unpack(lab, { name, image, provision: { 'linkspan.yaml': text } });
    await other.powerOn();
    await reachableByDefaults(other);
    await other.powerOff();
    expect(await other.disk.get('config', 'linkspan-report.txt')).toMatch(/linkspan\.yaml/);
    expect(await other.disk.get('config', 'linkspan.yaml')).toBe(text);
  },
  240_000,
);
