import { describe, expect, test } from '@jest/globals';
import { answerTooBig } from '../../src/datapath/too-big.ts';
import { addressBytes } from '../../src/packet/address.ts';
import { internetChecksum } from '../../src/packet/checksum.ts';

const [TARGET, SOURCE] = ['0200000000aa', '0200000000bb'];
const MTU = 1450;

function frame4(over: { flags?: number; protocol?: number; source?: string; type?: number; to?: string } = {}): Buffer {
  const { flags = 0x4000, protocol = 17, source = '10.0.0.1', type = 8, to = TARGET } = over;
  const packet = Buffer.alloc(1500, 0x5a);
  packet.writeUInt8(0x45, 0);
  packet.writeUInt16BE(1500, 2);
  packet.writeUInt16BE(flags, 6);
  packet.writeUInt8(protocol, 9);
  addressBytes(source, 4).copy(packet, 12);
  addressBytes('10.0.0.2', 4).copy(packet, 16);
  packet.writeUInt8(type, 20);
  return Buffer.concat([Buffer.from(`${to}${SOURCE}0800`, 'hex'), packet]);
}

function frame6(next = 17, type = 128): Buffer {
  const packet = Buffer.alloc(1500, 0x5a);
  packet.writeUInt32BE(0x6000_0000, 0);
  packet.writeUInt8(next, 6);
  addressBytes('fd00::1', 6).copy(packet, 8);
  addressBytes('fd00::2', 6).copy(packet, 24);
  packet.writeUInt8(type, 40);
  return Buffer.concat([Buffer.from(`${TARGET}${SOURCE}86dd`, 'hex'), packet]);
}

describe('the answer to what is too big', () => {
  test('in IPv4 says so to the source in the target’s name, with the MTU and the beginning of the packet', () => {
    const frame = frame4();
    const answer = answerTooBig(frame, MTU) ?? Buffer.alloc(0);
    expect(answer.subarray(0, 14).toString('hex')).toBe(`${SOURCE}${TARGET}0800`);
    const packet = answer.subarray(14);
    expect(packet).toHaveLength(576);
    expect([packet.readUInt16BE(2), packet.readUInt8(9)]).toEqual([576, 1]);
    expect([...packet.subarray(12, 20)]).toEqual([10, 0, 0, 2, 10, 0, 0, 1]);
    expect(internetChecksum(packet.subarray(0, 20))).toBe(0);
    const message = packet.subarray(20);
    expect(internetChecksum(message)).toBe(0);
    expect([message.readUInt8(0), message.readUInt8(1), message.readUInt16BE(6)]).toEqual([3, 4, MTU]);
    expect(message.subarray(8).equals(frame.subarray(14, 14 + 548))).toBe(true);
  });

  test('in IPv6 too', () => {
    const frame = frame6();
    const packet = answerTooBig(frame, MTU)?.subarray(14) ?? Buffer.alloc(0);
    expect(packet).toHaveLength(1280);
    const message = packet.subarray(40);
    const tail = Buffer.from([0, 0, message.length >> 8, message.length & 255, 0, 0, 0, 58]);
    expect(internetChecksum(packet.subarray(8, 24), packet.subarray(24, 40), tail, message)).toBe(0);
    expect(packet.subarray(8, 24).equals(addressBytes('fd00::2', 6))).toBe(true);
    expect([message.readUInt8(0), message.readUInt8(1), message.readUInt32BE(4)]).toEqual([2, 0, MTU]);
    expect(message.subarray(8).equals(frame.subarray(14, 14 + 1232))).toBe(true);
  });

  test.each<[string, Buffer]>([
    ['what may be cut up', frame4({ flags: 0 })],
    ['a later fragment', frame4({ flags: 0x4001 })],
    ['an error of ICMP', frame4({ protocol: 1, type: 3 })],
    ['an error of ICMPv6', frame6(58, 1)],
    ['a packet from nobody', frame4({ source: '0.0.0.0' })],
    ['a packet from a group', frame4({ source: '224.0.0.1' })],
    ['a frame to a group', frame4({ to: '0300000000aa' })],
    ['what is no IP', Buffer.from(`${TARGET}${SOURCE}88920000`, 'hex')],
    ['a header without its packet', frame4().subarray(0, 30)],
    ['a header of IPv6 without its packet', frame6().subarray(0, 50)],
    ['less than a header', Buffer.alloc(9)],
  ])('is none to %s', (_, frame) => {
    expect(answerTooBig(frame, MTU)).toBeUndefined();
  });

  test('is one to a ping', () => {
    expect(answerTooBig(frame4({ protocol: 1, type: 8 }), MTU)).toBeDefined();
    expect(answerTooBig(frame6(58, 128), MTU)).toBeDefined();
  });
});
