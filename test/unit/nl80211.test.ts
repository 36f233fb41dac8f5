import { expect, test } from '@jest/globals';
import { attribute, text, u16, u32 } from '../../src/packet/netlink.ts';
import { familyQuestion, readFamily, readWirelessInterface, wirelessDump } from '../../src/packet/nl80211.ts';

const FAMILY = 0x1e;
const GENERIC = Buffer.from([7, 1, 0, 0]);
const told = (type: number, ...attributes: readonly Buffer[]): Parameters<typeof readFamily>[0] => ({
  type,
  interrupted: false,
  payload: Buffer.concat([GENERIC, ...attributes]),
});
const station = (...more: readonly Buffer[]): Parameters<typeof readFamily>[0] =>
  told(FAMILY, u32(3, 5), u32(5, 2), ...more);

test('the questions, byte by byte', () => {
  const family = '20000000 10000500 00000000 00000000 03010000 0c000200 6e6c3830 32313100';
  expect(familyQuestion().toString('hex')).toBe(family.replaceAll(' ', ''));
  expect(wirelessDump(FAMILY).toString('hex')).toBe('140000001e000103000000000000000005010000');
});

test('the family’s number is read from the control family’s answer only', () => {
  expect(readFamily(told(0x10, text(2, 'nl80211'), u16(1, FAMILY)))).toBe(FAMILY);
  expect(readFamily(told(0x11, u16(1, FAMILY)))).toBeUndefined();
});

test('a station has one MAC, unless it sends with four addresses', () => {
  expect(readWirelessInterface(station(), FAMILY)).toEqual({ index: 5, oneMac: true });
  expect(readWirelessInterface(station(attribute(83, Buffer.of(1))), FAMILY)?.oneMac).toBe(false);
  expect(readWirelessInterface(station(attribute(83, Buffer.of(0))), FAMILY)?.oneMac).toBe(true);
  const accessPoint = told(FAMILY, u32(3, 6), u32(5, 3));
  expect(readWirelessInterface(accessPoint, FAMILY)).toEqual({ index: 6, oneMac: false });
});

test('what is no interface, or another family’s, is nothing', () => {
  expect(readWirelessInterface(told(FAMILY, u32(5, 2)), FAMILY)).toBeUndefined();
  expect(readWirelessInterface(station(), FAMILY + 1)).toBeUndefined();
});
