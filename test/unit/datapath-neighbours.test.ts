import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { neighbourAnswer } from '../../src/datapath/neighbours.ts';
import { parseState } from '../../src/datapath/parse-state.ts';
import { canonicalState, type DatapathState } from '../../src/datapath/state.ts';
import { macBytes } from '../../src/model/mac.ts';
import type { Neighbour } from '../../src/model/peer.ts';
import { addressBytes } from '../../src/packet/address.ts';
import { arpProbe, gratuitousArp, readArpClaim } from '../../src/packet/arp.ts';
import { internetChecksum } from '../../src/packet/checksum.ts';
import { duplicateProbe, readNeighbourClaim, unsolicitedNa } from '../../src/packet/neighbour.ts';
import { overlay, peer, Site } from './support/datapath.ts';
import { plain } from './support/frames.ts';
import { mac } from './support/values.ts';

const [ASKER, THERE, OTHER] = [mac('02:00:00:00:00:11'), mac('02:00:00:00:00:21'), mac('02:00:00:00:00:22')];
const NEIGHBOURS: readonly Neighbour[] = [
  { ip: '10.110.0.21', mac: THERE },
  { ip: '10.110.0.22', mac: OTHER },
  { ip: 'fd00:110::21', mac: THERE },
  { ip: 'fd00:110::22', mac: OTHER },
];

/** A request for `target` of somebody who has `sender`; by default of all. */
function request(target: string, sender = '10.110.0.11'): Buffer {
  const frame = arpProbe(ASKER, target);
  addressBytes(sender, 4).copy(frame, 28);
  return frame;
}

/** Likewise by IPv6 (RFC 4861 section 4.3), with the sender's MAC as its one option. */
function solicitation(target: string, sender = 'fd00:110::11', option = '0101'): Buffer {
  const frame = Buffer.concat([duplicateProbe(ASKER, target), Buffer.from(option, 'hex'), macBytes(ASKER)]);
  frame.writeUInt16BE(32, 18);
  addressBytes(sender, 6).copy(frame, 22);
  frame.writeUInt16BE(0, 56);
  const pseudo = Buffer.concat([frame.subarray(22, 54), Buffer.from('000000200000003a', 'hex')]);
  frame.writeUInt16BE(internetChecksum(pseudo, frame.subarray(54)), 56);
  return frame;
}

function changed(frame: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(frame);
  copy.writeUInt8(value, at);
  return copy;
}

/** What a site with those neighbours and one peer does with a frame: what its TAP gets back, and how many packets leave. */
function sent(
  frame: Buffer,
  over: Parameters<typeof overlay>[0] = {},
): { answers: Buffer[]; left: number; site: Site } {
  let left = 0;
  const site = new Site('192.0.2.1', () => void (left += 1));
  site.apply(overlay({ peers: [peer('192.0.2.2')], neighbours: NEIGHBOURS, ...over }));
  site.send([plain(frame)]);
  const tap = [...site.taps.values()][0]?.out.written ?? [];
  return { answers: tap.map((written) => Buffer.from(written.subarray(10))), left, site };
}

describe('the way out answers for a neighbour', () => {
  test('an ARP request, and sends nothing', () => {
    const { answers, left, site } = sent(request('10.110.0.21'));
    expect(answers.map((answer) => answer.toString('hex'))).toEqual([
      // to who asked, from the neighbour; a reply, of the neighbour's MAC and address, to who asked
      '020000000011020000000021080600010800060400020200000000210a6e00150200000000110a6e000b',
    ]);
    expect(left).toBe(0);
    expect([site.count('out', 'suppressed'), site.count('out', 'sent_frames'), site.drops('out')]).toEqual([1, 0, {}]);
  });

  test('an ARP probe, a padded request, and the longest there can be', () => {
    for (const frame of [
      arpProbe(ASKER, '10.110.0.22'),
      Buffer.concat([request('10.110.0.22'), Buffer.alloc(18)]),
      Buffer.concat([request('10.110.0.22'), Buffer.alloc(65_500, 0xff)]),
    ]) {
      const { answers, left } = sent(frame);
      expect([answers.map((answer) => readArpClaim(answer)), left]).toEqual([
        [{ mac: OTHER, address: '10.110.0.22' }],
        0,
      ]);
    }
  });

  test('a neighbour solicitation, by an advertisement whose checksum fits', () => {
    const { answers, left } = sent(solicitation('fd00:110::21'));
    expect(answers.map((answer) => readNeighbourClaim(answer))).toEqual([{ mac: THERE, address: 'fd00:110::21' }]);
    const [answer = Buffer.alloc(0)] = answers;
    expect(answer.subarray(0, 12)).toEqual(Buffer.concat([macBytes(ASKER), macBytes(THERE)]));
    expect(answer.subarray(22, 54)).toEqual(
      Buffer.concat([addressBytes('fd00:110::21', 6), addressBytes('fd00:110::11', 6)]),
    );
    // solicited and override, of no router
    expect([answer.length, answer.readUInt32BE(58)]).toEqual([86, 0x6000_0000]);
    expect(left).toBe(0);
  });
});

describe('the way out sends to all', () => {
  test.each<[string, Buffer]>([
    ['a request for whom nobody knows', request('10.110.0.99')],
    ['a solicitation for whom nobody knows', solicitation('fd00:110::99')],
    ['an announcement, also of an address in the table', gratuitousArp(ASKER, '10.110.0.21')],
    ['an unsolicited advertisement', unsolicitedNa(ASKER, 'fd00:110::21')],
    ['a request of one who has an address in the table', request('10.110.0.21', '10.110.0.22')],
    ['a solicitation of such a one', solicitation('fd00:110::21', 'fd00:110::22')],
    ['duplicate address detection', duplicateProbe(ASKER, 'fd00:110::21')],
    ['the same with a nonce', solicitation('fd00:110::21', '::', '0e01')],
    ['a solicitation of nobody’s that says where to answer', solicitation('fd00:110::21', '::')],
    ['a reply', changed(request('10.110.0.21'), 21, 2)],
    ['a reverse request', changed(request('10.110.0.21'), 21, 3)],
    ['ARP for another protocol', changed(request('10.110.0.21'), 16, 0x86)],
    ['ARP with a longer address', changed(request('10.110.0.21'), 18, 8)],
    ['half a request', request('10.110.0.21').subarray(0, 40)],
    ['half a solicitation', solicitation('fd00:110::21').subarray(0, 84)],
    ['a solicitation that passed a router', changed(solicitation('fd00:110::21'), 21, 254)],
    ['one with a wrong checksum', changed(solicitation('fd00:110::21'), 57, 0)],
    ['one to another group', changed(solicitation('fd00:110::21'), 49, 0xfe)],
    ['one with a code', changed(solicitation('fd00:110::21'), 55, 1)],
  ])('%s', (_, frame) => {
    const { answers, left, site } = sent(frame);
    expect([answers, left, site.count('out', 'suppressed')]).toEqual([[], 1, 0]);
  });

  test('whatever the bytes: an answer goes to who asked, and tells what the table has', () => {
    const { neighbours } = sent(request('10.110.0.99')).site.out();
    const asks = fc.constantFrom(request('10.110.0.21'), solicitation('fd00:110::22'), arpProbe(ASKER, '10.110.0.22'));
    const changes = fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 3 });
    fc.assert(
      fc.property(asks, changes, fc.nat(100), (ask, edits, length) => {
        const frame = Buffer.concat([ask, Buffer.alloc(14)]).subarray(0, Math.max(14, length));
        for (const [at, value] of edits) if (at < frame.length) frame.writeUInt8(value, at);
        const answer = neighbourAnswer(frame, neighbours);
        if (answer === undefined) return;
        expect(answer.subarray(0, 6)).toEqual(frame.subarray(6, 12));
        const claim = answer.length === 42 ? readArpClaim(answer) : readNeighbourClaim(answer);
        expect(NEIGHBOURS.map(({ ip, mac: m }) => ({ mac: m, address: ip }))).toContainEqual(claim);
      }),
      { numRuns: 20_000, seed: 20_261_129 },
    );
  });

  test('and asks the one it is for: unicast requests reach who is asked, known or not', () => {
    const frame = request('10.110.0.21');
    macBytes(THERE).copy(frame, 0);
    expect(sent(frame)).toMatchObject({ answers: [], left: 1 });
    expect(sent(frame, { peers: [peer('192.0.2.2', { macs: [THERE] })] })).toMatchObject({ answers: [], left: 1 });
  });

  test('no more than the limit: what is above that is not answered either', () => {
    const { site } = sent(request('10.110.0.99'), { bumPps: 1 });
    site.send([plain(request('10.110.0.21'))]);
    expect([site.count('out', 'suppressed'), site.drops('out')]).toEqual([0, { storm: 1 }]);
  });
});

const state = (neighbours?: unknown): unknown => ({
  v: 1,
  vtep: { ip: '192.0.2.1', port: 4789 },
  networks: [{ ...overlay({}), ...(neighbours !== undefined && { neighbours }) }],
});
const text = (neighbours?: unknown): string => canonicalState(parseState(state(neighbours)));

describe('a state', () => {
  test('has its neighbours in one order, and none where none are named', () => {
    expect(text(NEIGHBOURS)).toBe(text(NEIGHBOURS.toReversed()));
    expect(text([])).toBe(text());
    expect(text()).not.toContain('neighbours');
    expect((JSON.parse(text(NEIGHBOURS)) as DatapathState).networks[0]?.neighbours).toHaveLength(4);
  });

  test.each([
    [[{ ip: '10.0.0.300', mac: THERE }], '/networks/0/neighbours/0/ip must be an IPv4 or IPv6 address'],
    [[{ ip: '10.0.0.30', mac: 'ff:ff:ff:ff:ff:ff' }], '/networks/0/neighbours/0/mac must be a unicast MAC'],
    [['10.0.0.30'], '/networks/0/neighbours/0 must be an object'],
    [{}, '/networks/0/neighbours must be a list of at most 65536'],
  ])('with neighbours %j is refused', (neighbours, words) => {
    expect(() => parseState(state(neighbours))).toThrow(words);
  });
});
