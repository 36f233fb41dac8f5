import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Appliance } from '../lab/image/appliance.ts';
import { builtImage } from '../lab/image/image.ts';
import { Lab } from '../lab/lab.ts';
import { until } from '../lab/wait.ts';
import { gatewayName } from '../netns/support/names.ts';
import { importBusybox } from './support/containers.ts';
import { usedMemory } from './support/memory.ts';
import { APPLY_MS, bootstrap, type Office, openOffice } from './support/office.ts';
import { firmwareIs, Updates } from './support/updates.ts';

// One gateway's life: out of the box, at work, switched off and on. Each test goes on where the last one ended.

/** On a busy machine; what it should take is in numbers/. */
const UPDATE_MS = 480_000;
/** Reads what the gateway says of the files on its card. */
const REPORT = 'mount -o ro /dev/disk/by-partlabel/config /mnt && cat /mnt/linkspan-report.txt && umount /mnt';
const lab = new Lab();
const name = gatewayName('box');
let office: Office;
let gateway: Appliance;

beforeAll(async () => {
  office = await openOffice(lab);
  const provision = bootstrap(name, office.url, { control: { socket: '/run/elsewhere.sock' } });
  gateway = await Appliance.unpack(lab, { name, image: await builtImage(), provision });
});
afterAll(() => lab.close());

test('the status page answers after the first power-on, by what was on the card', async () => {
  await gateway.powerOn();
  console.info(`first answer ${(await gateway.answers()).toFixed(1)} s after the first power-on`);
  await gateway.ready();
  expect(await gateway.status()).toMatchObject({ gateway: name, fleet: 'plant' });
  await until('the broker', async () => (await gateway.status()).broker.connected, 120_000);
});

test('all services come up, in at most 250 MB', async () => {
  await gateway.shellReady();
  await gateway.run(['systemctl', 'is-system-running', '--wait'], { allowFailure: true, timeoutS: 240 });
  expect(await gateway.sh('systemctl --failed --plain --no-legend')).toBe('');
  expect(await usedMemory(gateway)).toBeLessThanOrEqual(250);
});

test('the report on the card tells what was taken over, and what of it does not count', async () => {
  expect(await gateway.sh(REPORT)).toContain(
    `Linkspan took over what was here: configuration of gateway ${name} is valid; control.socket of file /etc/linkspan/linkspan.yaml does not count: environment LINKSPAN_CONTROL_SOCKET does.`,
  );
});

test('Docker, NetworkManager, wpa_supplicant and mosquitto are there and work', async () => {
  expect(await gateway.sh("docker info --format '{{.Driver}} {{.ServerErrors}}'")).toMatch(/^overlay/);
  expect(await gateway.sh('nmcli --colors no -t -f STATE general')).toMatch(/^connected/);
  // It is started where there is WiFi.
  await gateway.sh('modprobe mac80211_hwsim');
  await until('wpa_supplicant', () => gateway.sh('systemctl is-active wpa_supplicant'), 60_000);
  await gateway.sh('mosquitto -p 1999 -d && sleep 1 && pkill -x mosquitto');
  await importBusybox(gateway);
  expect(await gateway.sh('docker run --rm --network none busybox sh -c "echo inside"', { timeoutS: 120 })).toBe(
    'inside',
  );
});

test('the system cannot be written to, its journal is in memory and bounded, and the data partition fills the card', async () => {
  for (const folder of ['/usr', '/opt', '/']) {
    expect((await gateway.run(['touch', `${folder}/new`], { allowFailure: true })).stderr).toMatch(/Read-only/);
  }
  expect(await gateway.sh('ls /var/log/journal 2>/dev/null || echo none')).toBe('none');
  expect(await gateway.sh('systemd-analyze cat-config systemd/journald.conf')).toMatch(/^RuntimeMaxUse=/m);
  expect(Number(await gateway.sh('df --output=size -BM /data | tail -1 | tr -d M'))).toBeGreaterThan(1800);
});

test('what it is told stays over a restart; a wrong file on the card changes nothing and says why', async () => {
  const network = { driver: 'bridge', subnet: '172.30.0.0/24' };
  await office.operator.apply(
    name,
    JSON.stringify({ v: 1, version: 1, spec: { networks: { cell: network } } }),
    APPLY_MS,
  );
  const machine = await gateway.sh('cat /etc/machine-id');
  await gateway.sh(
    'mount /dev/disk/by-partlabel/config /mnt && echo "gateway: [" >/mnt/linkspan.yaml && umount /mnt && docker images -q busybox',
  );
  await gateway.reboot();
  expect(await gateway.sh('cat /etc/machine-id')).toBe(machine);
  // Docker comes up after the status page, and takes its time.
  expect(await gateway.sh('docker images -q busybox', { timeoutS: 120 })).not.toBe('');
  const { gateway: called, config } = await gateway.status();
  expect({ called, version: config.applied_version }).toEqual({ called: name, version: 1 });
  expect(await gateway.sh(REPORT)).toMatch(/linkspan\.yaml/);
});

test('an update is installed, started and committed', async () => {
  const spec = { networks: { cell: { driver: 'bridge', subnet: '172.30.0.0/24' } } };
  const updates = await Updates.open(lab, office, { name, image: await builtImage(), version: 1, spec });
  await updates.url('newer');
  const ordered = gateway.seconds();
  const version = await updates.order('newer');
  expect(await firmwareIs(gateway, ['committed', 'rolled_back', 'refused', 'failed'], UPDATE_MS)).toMatchObject({
    state: 'committed',
    slot: 'B',
    target_version: version,
  });
  console.info(`committed ${(gateway.seconds() - ordered).toFixed(0)} s after the order`);
  expect((await gateway.status()).config).toMatchObject({ applied_version: 2 });
}, 600_000);
