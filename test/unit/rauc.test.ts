import { describe, expect, test } from '@jest/globals';
import { isTransient, lastErrorIn, parseInfo, parseStatus, progressIn, refusal } from '../../src/host/rauc.ts';
import { slotIn, versionIn } from '../../src/host/running-firmware.ts';

/** As rauc 1.13 of Debian prints it for a bundle of format verity. */
const INFO =
  '{"compatible":"linkspan-qemu-virt","version":"0.2.0","description":null,"build":null,"format":"verity","hooks":[],"hash":"2de25805c7f2ca6b51c43f9b97625a5e5d9d532ef9161325095fde8ea680c004","images":[{"rootfs":{"artifact":null,"variant":null,"filename":"rootfs.ext4","checksum":"cf095c33ac9d14267b531d5a920b573e517169a65996da1a10b7b76e1bd1b8f0","size":65536,"hooks":[],"adaptive":[]}}]}\n';

/** Of a gateway in QEMU whose other slot has just been written. */
const STATUS =
  '{"compatible":"linkspan-qemu-virt","variant":"","booted":"A","boot_primary":"rootfs.0","slots":[{"rootfs.1":{"class":"rootfs","device":"/dev/linkspan/rootB","type":"ext4","bootname":"B","state":"inactive","parent":null,"mountpoint":null,"boot_status":"bad","slot_status":{"bundle":{"compatible":"linkspan-qemu-virt","version":"9.0.0","hash":"26b73baa60e09a60628149330a78c9d8d1fcdd6d28c4fc3db8da2656d4bd952c"},"checksum":{"sha256":"57c2031f8c131d458f2111841e650c1d9d0f220088b93ff9108dfdff4803d805","size":592203776},"installed":{"timestamp":"2026-11-30T07:58:08Z","count":1},"status":"ok"}}},{"rootfs.0":{"class":"rootfs","device":"/dev/linkspan/rootA","type":"ext4","bootname":"A","state":"booted","parent":null,"mountpoint":null,"boot_status":"good","slot_status":{"bundle":{"compatible":null}}}}],"artifact-repositories":[]}\n';

const slot = (bootname: string, rest: object): object => ({
  class: 'rootfs',
  device: `/dev/linkspan/root${bootname}`,
  type: 'ext4',
  bootname,
  state: 'inactive',
  parent: null,
  mountpoint: null,
  boot_status: 'good',
  ...rest,
});
const status = (...slots: readonly object[]): string =>
  JSON.stringify({ compatible: 'linkspan-qemu-virt', variant: '', booted: 'A', boot_primary: 'rootfs.0', slots });
const bundle = { compatible: 'linkspan-qemu-virt', version: '0.2.0' };

describe('what rauc says of the slots', () => {
  test('is which the boot loader knows, and what is whole in them', () => {
    const text = status(
      { 'rootfs.1': slot('B', { slot_status: { bundle, status: 'ok' } }) },
      { 'rootfs.0': slot('A', { state: 'booted', slot_status: { bundle: { compatible: null } } }) },
      { 'bootloader.0': { class: 'bootloader', bootname: null } },
    );
    expect(parseStatus(text)).toEqual({
      compatible: 'linkspan-qemu-virt',
      booted: 'A',
      slots: [
        { name: 'rootfs.1', bootname: 'B', version: '0.2.0' },
        { name: 'rootfs.0', bootname: 'A', version: null },
      ],
    });
  });

  test('is read as rauc prints it on a gateway', () => {
    expect(parseStatus(STATUS)).toEqual({
      compatible: 'linkspan-qemu-virt',
      booted: 'A',
      slots: [
        { name: 'rootfs.1', bootname: 'B', version: '9.0.0' },
        { name: 'rootfs.0', bootname: 'A', version: null },
      ],
    });
  });

  test('has no version in a slot that was being written', () => {
    const text = status({ 'rootfs.1': slot('B', { slot_status: { bundle, status: 'pending' } }) });
    expect(parseStatus(text).slots).toEqual([{ name: 'rootfs.1', bootname: 'B', version: null }]);
  });

  test.each(['', 'null', '[]', '{"compatible":7,"booted":"A"}', '{"compatible":"x"}', '{"compatible":'])(
    'is an error where it is %j',
    (text) => expect(() => parseStatus(text)).toThrow(expect.objectContaining({ code: 'unreadable' })),
  );

  test('may be odd in every part', () => {
    for (const slots of [null, 7, [null], [{ x: null }], [{ x: { bootname: 7 } }], [[['a']]]])
      expect(parseStatus(JSON.stringify({ compatible: 'c', booted: 'A', slots })).slots).toEqual([]);
    const odd = { bootname: 'B', slot_status: { bundle: { version: { a: 1 } }, status: 'ok' } };
    const text = JSON.stringify({ compatible: 'c', booted: 'A', slots: [{ 'rootfs.1': odd }] });
    expect(parseStatus(text).slots).toEqual([{ name: 'rootfs.1', bootname: 'B', version: null }]);
  });
});

describe('what rauc says of a bundle', () => {
  test('is for which board it is, and which version', () => {
    expect(parseInfo(INFO)).toEqual({ compatible: 'linkspan-qemu-virt', version: '0.2.0' });
    expect(() => parseInfo('{"compatible":"c","version":null}')).toThrow(
      expect.objectContaining({ code: 'unreadable' }),
    );
  });

  const SIGNED = "rauc-Message: 06:36:43.910: Verified inline signature by 'CN = test'";
  const READING = 'rauc-Message: 06:36:43.840: Reading bundle: /data/x.raucb';
  const STATUS_FILE =
    'rauc-Message: 06:36:15.288: No data directory or status file set\nConsider setting it explicitly.';

  test.each([
    ['signature verification failed: Verify error: self-signed certificate', 'wrong_signature'],
    ['failed to parse signature', 'wrong_signature'],
    ['Signature data is no valid CMS', 'wrong_signature'],
    ['Failed to verify X509 cert: certificate has expired', 'wrong_signature'],
    ['Invalid bundle format: Signature size (16476753074096234568) exceeds bundle size', 'unreadable'],
    ['Invalid bundle format: Failed to seek to end of bundle: Error seeking in file: Invalid argument', 'unreadable'],
    ['No such file: /tmp/x.raucb', 'unreadable'],
  ])('%s: %s', (line, code) => {
    const error = refusal('/data/x.raucb', `${STATUS_FILE}\n${READING}\n${line}\n`);
    expect(error).toMatchObject({ code, object: '/data/x.raucb' });
    expect(error.message).toContain(line);
  });

  test('may be nothing, or very long', () => {
    expect(refusal('x', `${SIGNED}\n`).message).toContain('does not say why');
    expect(refusal('x', 'y'.repeat(1e6)).message.length).toBeLessThan(500);
  });
});

test('progress and the last error are found among the other lines of an installation', () => {
  const lines = ['installing', '  0% Installing', ' 46% Copying image to rootfs.1', '100% Installing done.', 'idle'];
  expect(lines.map((line) => progressIn(line))).toEqual([undefined, 0, 46, 100, undefined]);
  expect(progressIn('999% x')).toBeUndefined();
  expect(lastErrorIn('LastError: Installation error: Version mismatch')).toBe('Installation error: Version mismatch');
  expect(lastErrorIn('100% Installing failed.')).toBeUndefined();
});

test('an updater that is busy is asked again', () => {
  const words = 'Error retrieving slot status via D-Bus: error calling D-Bus method "GetSlotStatus":';
  expect(isTransient(`${words} Timeout was reached\n`)).toBe(true);
  expect(isTransient(`${words} already processing a different method\n`)).toBe(true);
  expect(isTransient('Error retrieving slot status via D-Bus: error creating proxy: Could not connect\n')).toBe(false);
});

test('the running slot stands in the kernel’s arguments, the image’s version in os-release', () => {
  expect(slotIn('root=PARTLABEL=rootB ro rauc.slot=B panic=5\n')).toBe('B');
  expect(slotIn('rauc.slot=A')).toBe('A');
  for (const line of ['', 'quiet xrauc.slot=A', 'rauc.slot=', 'rauc.slot=../x']) expect(slotIn(line)).toBeUndefined();
  expect(versionIn('ID=debian\nIMAGE_ID=linkspan-qemu-virt\nIMAGE_VERSION=0.2.0\n')).toBe('0.2.0');
  expect(versionIn('IMAGE_VERSION="0.2.0-rc.1+x"')).toBe('0.2.0-rc.1+x');
  for (const text of ['', 'XIMAGE_VERSION=1', 'IMAGE_VERSION=\n']) expect(versionIn(text)).toBeUndefined();
});
