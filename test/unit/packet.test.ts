import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseIp } from '../../src/model/ip.ts';
import type { Mac } from '../../src/model/mac.ts';
import { parseMac } from '../../src/model/mac.ts';
import { arpProbe, gratuitousArp, readArpClaim } from '../../src/packet/arp.ts';
import { internetChecksum } from '../../src/packet/checksum.ts';
import { duplicateProbe, readNeighbourClaim, unsolicitedNa } from '../../src/packet/neighbour.ts';

const MAC = parseMac('02:11:22:33:44:55') as Mac;

/** A classic little-endian pcap file of link type Ethernet. */
function pcap(frames: readonly Buffer[]): Buffer {
  const file = Buffer.alloc(24);
  file.writeUInt32LE(0xa1b2c3d4, 0);
  file.writeUInt16LE(2, 4);
  file.writeUInt16LE(4, 6);
  file.writeUInt32LE(65_535, 16);
  file.writeUInt32LE(1, 20);
  const records = frames.flatMap((frame) => {
    const header = Buffer.alloc(16);
    header.writeUInt32LE(frame.length, 8);
    header.writeUInt32LE(frame.length, 12);
    return [header, frame];
  });
  return Buffer.concat([file, ...records]);
}

/** One line per frame, fields joined by tabs, as Wireshark reads them with checksum validation on. */
function dissect(frames: readonly Buffer[], fields: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'linkspan-packet-'));
  try {
    const file = join(folder, 'frames.pcap');
    writeFileSync(file, pcap(frames));
    const argv = ['-n', '-r', file, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
    const text = execFileSync('tshark', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return text.split('\n').filter((line) => line !== '');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('checksum', () => {
  test("RFC 1071's own example", () => {
    expect(internetChecksum(Buffer.from('0001f203f4f5f6f7', 'hex'))).toBe(~0xddf2 & 0xffff);
  });
  test('an odd last byte is padded with zero, and parts count as one string', () => {
    expect(internetChecksum(Buffer.from('0102ab', 'hex'))).toBe(internetChecksum(Buffer.from('0102ab00', 'hex')));
    expect(internetChecksum(Buffer.from('0102', 'hex'), Buffer.from('ab', 'hex'))).toBe(~(0x0102 + 0xab00) & 0xffff);
  });
  test('nothing, and many carries', () => {
    expect(internetChecksum()).toBe(0xffff);
    expect(internetChecksum(Buffer.alloc(262_144, 0xff))).toBe(0);
  });
});

describe('gratuitous ARP', () => {
  test('its exact bytes', () => {
    expect(gratuitousArp(MAC, '10.20.0.7').toString('hex')).toBe(
      ['ffffffffffff0211223344550806', '0001080006040001', '0211223344550a140007', '0000000000000a140007'].join(''),
    );
  });
  test('refuses IPv6 and text that is no address', () => {
    expect(() => gratuitousArp(MAC, 'fd00::1')).toThrow('address fd00::1: not an IPv4 address');
    expect(() => gratuitousArp(MAC, '10.20.0')).toThrow('not an IPv4 address');
    expect(() => gratuitousArp(MAC, '10.20.0.7/24')).toThrow('not an IPv4 address');
  });
});

describe('unsolicited neighbour advertisement', () => {
  test('its exact bytes', () => {
    expect(unsolicitedNa(MAC, 'fd00:20::7').toString('hex')).toBe(
      '33330000000102112233445586dd' +
        '6000000000203aff' +
        'fd000020000000000000000000000007' +
        'ff020000000000000000000000000001' +
        '8800f3b620000000' +
        'fd000020000000000000000000000007' +
        '0201021122334455',
    );
  });
  test('refuses IPv4', () => {
    expect(() => unsolicitedNa(MAC, '10.20.0.7')).toThrow('address 10.20.0.7: not an IPv6 address');
  });
});

test('Wireshark reads probes as what they are, and finds no fault', () => {
  const frames = [arpProbe(MAC, '10.20.0.7'), duplicateProbe(MAC, 'fd00:20::1:203:405')];
  const fields = ['eth.dst', 'arp.isprobe', 'arp.dst.proto_ipv4', 'ipv6.src', 'ipv6.dst', 'ipv6.hlim', 'icmpv6.type'];
  const more = ['icmpv6.nd.ns.target_address', 'icmpv6.checksum.status', '_ws.malformed', '_ws.expert'];
  expect(dissect(frames, [...fields, ...more]).map((line) => line.trimEnd())).toEqual([
    'ff:ff:ff:ff:ff:ff\t1\t10.20.0.7',
    '33:33:ff:03:04:05\t\t\t::\tff02::1:ff03:405\t255\t135\tfd00:20::1:203:405\t1',
  ]);
});

function changed(frame: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(frame);
  copy.writeUInt8(value, at);
  return copy;
}

/** With the checksum that belongs to the message. */
function valid(frame: Buffer): Buffer {
  const copy = Buffer.from(frame);
  const [addresses, message] = [copy.subarray(22, 54), copy.subarray(54)];
  message.writeUInt16BE(0, 2);
  copy.writeUInt16BE(message.length, 18);
  message.writeUInt16BE(internetChecksum(addresses, Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58]), message), 2);
  return copy;
}

describe('who says that an address is theirs', () => {
  const arp = gratuitousArp(MAC, '10.20.0.7');
  const na = unsolicitedNa(MAC, 'fd00:20::7');
  test('is read of requests, replies and advertisements', () => {
    expect(readArpClaim(arp)).toEqual({ mac: MAC, address: '10.20.0.7' });
    expect(readArpClaim(changed(arp, 21, 2))).toEqual({ mac: MAC, address: '10.20.0.7' });
    expect(readArpClaim(Buffer.concat([arp, Buffer.alloc(18)]))).toEqual({ mac: MAC, address: '10.20.0.7' });
    expect(readNeighbourClaim(na)).toEqual({ mac: MAC, address: 'fd00:20::7' });
    // Without the option the frame's source says it.
    const bare = valid(changed(na.subarray(0, 78), 11, 0x66));
    expect(readNeighbourClaim(bare)).toEqual({ mac: '02:11:22:33:44:66', address: 'fd00:20::7' });
    const other = valid(Buffer.concat([na.subarray(0, 78), Buffer.from('0e01000000000000', 'hex'), na.subarray(78)]));
    expect(readNeighbourClaim(other)).toEqual({ mac: MAC, address: 'fd00:20::7' });
  });

  test('is not read of questions, nor of what is false or cut', () => {
    const arps = [arpProbe(MAC, '10.20.0.7'), na, arp.subarray(0, 41), changed(arp, 21, 3), changed(arp, 13, 0)];
    for (const frame of [...arps, ...[15, 16, 18, 19].map((at) => changed(arp, at, 9)), changed(arp, 22, 1)]) {
      expect(readArpClaim(frame)).toBeUndefined();
    }
    const type = valid(changed(na, 54, 135));
    const code = valid(changed(na, 55, 1));
    const hops = changed(na, 21, 254);
    const noLength = valid(changed(na, 79, 0));
    const group = valid(changed(na, 80, 1));
    const long = changed(na, 19, 40);
    const protocol = changed(na, 20, 17);
    const all = [type, code, hops, noLength, group, long, protocol, changed(na, 57, 0), na.subarray(0, 60), arp];
    for (const frame of all) expect(readNeighbourClaim(frame)).toBeUndefined();
    expect(readNeighbourClaim(duplicateProbe(MAC, 'fd00:20::7'))).toBeUndefined();
  });

  test('is never more than a MAC and an address, whatever the bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 160 }).map((array) => Buffer.from(array));
    const mutated = fc
      .tuple(fc.constantFrom(arp, na), fc.array(fc.tuple(fc.nat(85), fc.nat(255)), { maxLength: 4 }), fc.nat(90))
      .map(([frame, changes, length]) =>
        changes.reduce(
          (all, [at, value]) => (at < all.length ? changed(all, at, value) : all),
          frame.subarray(0, length),
        ),
      );
    fc.assert(
      fc.property(fc.oneof(bytes, mutated), (frame) => {
        for (const claim of [readArpClaim(frame), readNeighbourClaim(frame)]) {
          if (claim === undefined) continue;
          expect(parseMac(claim.mac)).toBe(claim.mac);
          expect(parseIp(claim.address)).toBe(claim.address);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

test('Wireshark reads both as what they are, and finds no fault', () => {
  const frames = [gratuitousArp(MAC, '10.20.0.7'), unsolicitedNa(MAC, 'fd00:20::7'), unsolicitedNa(MAC, 'fe80::1')];
  const fields = ['arp.isannouncement', 'arp.src.proto_ipv4', 'ipv6.src', 'ipv6.dst', 'ipv6.hlim', 'icmpv6.type'];
  const more = ['icmpv6.nd.na.flag.o', 'icmpv6.opt.linkaddr', 'icmpv6.checksum.status', '_ws.malformed', '_ws.expert'];
  expect(dissect(frames, [...fields, ...more]).map((line) => line.trimEnd())).toEqual([
    '1\t10.20.0.7',
    '\t\tfd00:20::7\tff02::1\t255\t136\t1\t02:11:22:33:44:55\t1',
    '\t\tfe80::1\tff02::1\t255\t136\t1\t02:11:22:33:44:55\t1',
  ]);
});
