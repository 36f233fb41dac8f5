import { describe, expect, test } from '@jest/globals';
import { parseMac } from '../../src/model/mac.ts';
import { isDump } from '../../src/packet/netlink.ts';
import { readAcknowledgements } from '../../src/packet/netlink-read.ts';
import { linkDump } from '../../src/packet/rtnetlink/link.ts';
import { aliasRequest, childRequest, deleteRequest } from '../../src/packet/rtnetlink/requests.ts';

describe('requests, byte by byte', () => {
  test('a macvlan child', () => {
    const mac = parseMac('02:11:22:33:44:55');
    const kind = { type: 'macvlan', mode: 'bridge' } as const;
    const bytes = childRequest({ name: 'lst-a', parent: 7, kind, mac, mtu: 1450, group: 19_539 });
    const expected = [
      // length, RTM_NEWLINK and REQUEST | ACK | EXCL | CREATE, sequence, port
      '6c000000 10000506 00000000 00000000',
      '00000000 00000000 00000000 00000000',
      '0a000300 6c73742d 61000000',
      '08000500 07000000',
      '08000400 aa050000',
      '08001b00 534c0000',
      '0a000100 02112233 44550000',
      '1c001200 0c000100 6d616376 6c616e00 0c000200 08000100 04000000',
    ];
    expect(bytes.toString('hex')).toBe(expected.join('').replaceAll(' ', ''));
  });

  test('an ipvlan child: no MAC, and a mode of 16 bits', () => {
    const kind = { type: 'ipvlan', mode: 'l3s' } as const;
    const bytes = childRequest({ name: 'lst-a', parent: 7, kind, mac: undefined, mtu: 1450, group: 19_539 });
    const last = '1c001200 0b000100 6970766c 616e0000 0c000200 06000100 02000000';
    expect(bytes.toString('hex').endsWith(last.replaceAll(' ', ''))).toBe(true);
    expect(bytes.length).toBe(96);
  });

  test('what makes or removes is no dump', () => {
    const kind = { type: 'macvlan', mode: 'bridge' } as const;
    const link = { name: 'a', parent: 7, kind, mac: undefined, mtu: 1500, group: 0 };
    expect([childRequest(link), deleteRequest('a'), linkDump()].map((each) => isDump(each))).toEqual([
      false,
      false,
      true,
    ]);
  });

  test('an alias, a removal', () => {
    expect(aliasRequest('a', 'xyz').subarray(32).toString('hex')).toBe('06000300610000000700140078797a00');
    expect(deleteRequest('a').toString('hex')).toBe(`2800000011000500${'00'.repeat(24)}0600030061000000`);
  });
});

test('an answer is an error number, or none at all', () => {
  const answer = Buffer.alloc(20);
  answer.writeUInt32LE(20);
  answer.writeUInt16LE(2, 4);
  expect(readAcknowledgements(answer)).toEqual([0]);
  answer.writeInt32LE(-17, 16);
  expect(readAcknowledgements(answer)).toEqual([17]);
  expect(readAcknowledgements(answer.subarray(0, 19))).toEqual([]);
  answer.writeUInt16LE(16, 4);
  expect(readAcknowledgements(answer)).toEqual([]);
});
