import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, lstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';

const CHECKOUT = new URL('../../', import.meta.url).pathname;
const ROOT = join(CHECKOUT, 'build/work/qemu-virt/root');
/** the ELF header's e_machine */
const AARCH64 = 183;

if (!existsSync(join(ROOT, 'usr/lib/os-release'))) throw new Error(`${ROOT} is not there; run scripts/build-image`);

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function said(program: string, ...args: string[]): string {
  const { stdout, stderr, status, error } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Paths below the root, by find(1), of the root's own point of view. */
function found(...tests: string[]): readonly string[] {
  return said('find', ROOT, ...tests, '-printf', '/%P\n')
    .split('\n')
    .slice(0, -1)
    .sort();
}

/** Whether a path leads to something, links being followed within the root. */
function leads(path: string, hops = 0): boolean {
  const parts = path.split('/').filter((part) => part !== '');
  for (const index of parts.keys()) {
    const place = `/${parts.slice(0, index + 1).join('/')}`;
    const entry = lstatSync(ROOT + place, { throwIfNoEntry: false });
    if (entry === undefined || hops > 20) return false;
    if (!entry.isSymbolicLink()) continue;
    return leads(resolve(dirname(place), readlinkSync(ROOT + place), ...parts.slice(index + 1)), hops + 1);
  }
  return true;
}

function mode(path: string): string {
  const { mode: bits, uid, gid } = lstatSync(join(ROOT, path));
  return `${(bits & 0o7777).toString(8)} ${uid}:${gid}`;
}

function masks(path: string): boolean {
  return readlinkSync(join(ROOT, path)) === '/dev/null';
}

/** A module's name, of its file's. */
function moduleName(path: string): string {
  const file = path.slice(path.lastIndexOf('/') + 1);
  return file.slice(0, file.indexOf('.')).replaceAll('-', '_');
}

test('users and groups have the numbers of ids.conf, and nobody has a password', () => {
  const own = lines(readFileSync(join(CHECKOUT, 'firmware/ids.conf'), 'utf8')).map((line) => {
    const [kind = '', name = '', id = ''] = line.split(/\s+/);
    return { kind: kind[0], name, id };
  });
  const beyond = (path: string): string[] =>
    lines(read(path))
      .map((line) => line.split(':'))
      .filter(([, , id]) => Number(id) > 100 && id !== '65534')
      .map(([name, , id]) => `${name}=${id}`)
      .sort();
  expect(beyond('etc/group')).toEqual(own.map(({ name, id }) => `${name}=${id}`).sort());
  expect(beyond('etc/passwd')).toEqual(
    own
      .filter(({ kind }) => kind === 'u')
      .map(({ name, id }) => `${name}=${id}`)
      .sort(),
  );
  expect(lines(read('etc/shadow')).filter((line) => !/^[^:]+:[!*]+:/.test(line))).toEqual([]);
});

test('powers: set-user-ID programs, capabilities, and what only root may read', () => {
  expect(found('-perm', '/6000', '-type', 'f')).toEqual([
    '/usr/bin/chage',
    '/usr/bin/chfn',
    '/usr/bin/chsh',
    '/usr/bin/expiry',
    '/usr/bin/gpasswd',
    '/usr/bin/mount',
    '/usr/bin/passwd',
    '/usr/bin/su',
    '/usr/bin/umount',
    '/usr/lib/dbus-1.0/dbus-daemon-launch-helper',
    '/usr/sbin/unix_chkpwd',
  ]);
  expect(mode('usr/lib/dbus-1.0/dbus-daemon-launch-helper')).toBe('4754 0:904');
  expect(mode('etc/shadow')).toBe('640 0:42');
  expect(mode('var/lib/NetworkManager')).toBe('700 0:0');
  expect(mode('usr/lib/NetworkManager/system-connections/wired.nmconnection')).toBe('600 0:0');
  expect(mode('tmp')).toBe('1777 0:0');
  expect(mode('root')).toBe('700 0:0');
  expect(found('-perm', '-o+w', '!', '-type', 'l', '!', '-perm', '-1000')).toEqual([]);
});

test('what starts by itself is what the preset says', () => {
  const wants = found('-path', `${ROOT}/etc/systemd/system/*.wants/*`).map((path) =>
    path.slice('/etc/systemd/system/'.length),
  );
  expect(wants.filter((path) => !path.includes('/linkspan'))).toEqual([
    'multi-user.target.wants/NetworkManager.service',
    'multi-user.target.wants/containerd.service',
    'multi-user.target.wants/docker.service',
    'sockets.target.wants/docker.socket',
    'sysinit.target.wants/systemd-timesyncd.service',
    'timers.target.wants/fstrim.timer',
  ]);
  expect(wants).toContain('multi-user.target.wants/linkspan.service');
});

test('the bus starts what NetworkManager asks it for', () => {
  const names = readdirSync(join(ROOT, 'usr/share/dbus-1/system-services'));
  const units = names.map(
    (name) => /^SystemdService=(.+)$/m.exec(read(`usr/share/dbus-1/system-services/${name}`))?.[1] ?? '',
  );
  const missing = units.filter(
    (unit) => !leads(`etc/systemd/system/${unit}`) && !leads(`usr/lib/systemd/system/${unit}`),
  );
  // systemd-networkd is not used.
  expect(missing.filter((unit) => unit !== '' && unit !== 'dbus-org.freedesktop.network1.service')).toEqual([]);
});

test('every program and library is for this machine, and finds its libraries', () => {
  const head = Buffer.alloc(20);
  const files = found('-type', 'f', '-size', '+0', '!', '-path', '*/modules/*', '!', '-path', '*/firmware/*');
  const elf = files.filter((path) => {
    const handle = openSync(join(ROOT, path), 'r');
    readSync(handle, head.fill(0), 0, head.length, 0);
    closeSync(handle);
    return head.subarray(0, 4).toString('latin1') === '\u007FELF';
  });
  const headers = said('readelf', '-h', '-d', ...elf.map((path) => join(ROOT, path)));
  expect([...headers.matchAll(/Machine: +(.+)/g)].filter(([, name]) => name !== 'AArch64')).toEqual([]);
  expect(elf.length).toBeGreaterThan(AARCH64);
  const names = new Set(elf.map((path) => path.slice(path.lastIndexOf('/') + 1)));
  for (const link of found('-type', 'l', '-name', '*.so*')) names.add(link.slice(link.lastIndexOf('/') + 1));
  const needed = new Set([...headers.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name ?? ''));
  expect([...needed].filter((name) => !names.has(name))).toEqual([]);
});

test('no link of the root leads nowhere, but to what is made at boot', () => {
  const dangling = found('-type', 'l').filter((path) => !leads(path));
  const atBoot = /^\/(etc\/(mtab|resolv\.conf)|var\/(run|lock)|usr\/lib\/modules\/.*|etc\/.* -> \/dev\/null)/;
  expect(dangling.filter((path) => !atBoot.test(path) && !masks(path))).toEqual([]);
});

test('the modules that Linkspan, Docker and the image need are there, and each finds those that it needs', () => {
  const [version = ''] = readdirSync(join(ROOT, 'usr/lib/modules'));
  const folder = `usr/lib/modules/${version}`;
  const kept = found('-path', `${ROOT}/${folder}/kernel/*`, '-name', '*.ko*');
  const known = new Set([...kept, ...lines(read(`${folder}/modules.builtin`))].map((path) => moduleName(path)));
  const wanted =
    '8021q macvlan ipvlan vxlan bridge br_netfilter veth tun nf_tables nft_chain_nat nft_masq nft_redir nft_compat nft_ct ' +
    'xt_conntrack xt_MASQUERADE xt_addrtype nf_conntrack_netlink ip_set ip_vs overlay wireguard sch_htb sch_netem sch_fq_codel ' +
    'cls_u32 act_mirred ifb vrf dummy bonding mac80211 mac80211_hwsim brcmfmac ath9k_htc rtw88_usb mt76_usb usb_storage uas ' +
    'vfat nls_ascii nls_cp437 nls_utf8 dm_verity dm_crypt loop nbd squashfs ext4 virtio_net virtio_blk virtio_rng i6300esb ' +
    'r8152 ax88179_178a cdc_ether cdc_ncm cdc_mbim qmi_wwan option i2c_dev genet bcm2835_wdt dwmac_rk dw_wdt fec imx2_wdt';
  expect(wanted.split(' ').filter((name) => !known.has(name))).toEqual([]);
  const depends = said('modinfo', '-F', 'depends', ...kept.map((path) => join(ROOT, path)));
  const missing = new Set(
    depends.split(/[\n,]/).filter((name) => name !== '' && !known.has(name.replaceAll('-', '_'))),
  );
  expect([...missing]).toEqual([]);
});

test('certificates: the bundle and the links by hash', () => {
  expect(read('etc/ssl/certs/ca-certificates.crt').match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(100);
  const hashes = found('-path', `${ROOT}/etc/ssl/certs/*.0`);
  expect(hashes.length).toBeGreaterThan(100);
});

test('the image knows itself; what is a gateway’s own is not in it', () => {
  expect(read('usr/lib/os-release')).toMatch(/^IMAGE_ID=linkspan-qemu-virt\nIMAGE_VERSION=\d+\.\d+\.\d+/m);
  expect(read('etc/machine-id')).toBe('');
  expect(existsSync(join(ROOT, 'etc/hostname'))).toBe(false);
  expect(found('-path', `${ROOT}/var/*`, '-type', 'f')).toEqual([]);
  expect(found('-newermt', '2100-01-01')).toEqual([]);
});

test("the trial of an update asks at the socket that the service has, whatever the card's file says", () => {
  const [, forced] =
    /^Environment=LINKSPAN_CONTROL_SOCKET=(.*)$/m.exec(
      read('usr/lib/systemd/system/linkspan.service.d/50-firmware.conf'),
    ) ?? [];
  expect(forced).toBeDefined();
  expect(read('usr/lib/linkspan/firmware/trial')).toContain(`\nsocket=${forced}\n`);
});
