import { attribute, nested, NETLINK, number, text } from './netlink.ts';
import { change, NFT, type NftChange } from './nft-batch.ts';
import {
  accept,
  compare,
  counted,
  type Expression,
  forward,
  goTo,
  load,
  lookUp,
  masked,
  type Place,
  put,
  type Register,
  store,
} from './nft-expressions.ts';

/** The maps from an address to its MAC, and the counter of what was answered. */
export const NEIGHBOUR_MAPS = { 4: 'neighbours4', 6: 'neighbours6' } as const;
export const SUPPRESSED = 'suppressed';

const [BASE, GROUPS] = ['port', 'groups'];
const HOOK_EGRESS = 1;
/** behind the guards (0): what they drop, their limit included, is not answered */
const PRIORITY = 1;
const IS_MAP = 8;
/** nft's own numbers for what it shows: ipv4_addr, ipv6_addr, ether_addr */
const TYPES = { 4: 7, 6: 8, mac: 9 } as const;
const LENGTHS = { 4: 4, 6: 16, mac: 6 } as const;

const inFrame = (offset: number, length: number): Place => ({ base: 0, offset, length });
const [TARGET_MAC, SOURCE_MAC, GROUP_BYTE] = [inFrame(0, 6), inFrame(6, 6), inFrame(0, 1)];

// From the EtherType to the operation (RFC 826): what an ARP request for IPv4 on Ethernet begins with.
const [ARP_HEADER, REQUEST] = [inFrame(12, 10), Buffer.from('08060001080006040001', 'hex')];
const [OPERATION, REPLY] = [inFrame(20, 2), Buffer.from('0002', 'hex')];
const [SENDER_MAC, SENDER, ASKED] = [inFrame(22, 6), inFrame(28, 4), inFrame(38, 4)];
const [WHOLE_SENDER, WHOLE_TARGET] = [inFrame(22, 10), inFrame(32, 10)];

// Behind Ethernet's 14 bytes and IPv6's 40: a neighbour solicitation with the one option that tells the sender's MAC.
const [ETHERTYPE, IPV6] = [inFrame(12, 2), Buffer.from('86dd', 'hex')];
const [LENGTH_TO_HOPS, SOLICITATION_HEADER] = [inFrame(18, 4), Buffer.from('00203aff', 'hex')];
const [SOURCE6, TARGET6, TARGET6_PREFIX] = [inFrame(22, 16), inFrame(38, 16), inFrame(38, 13)];
const SOLICITED_NODE = Buffer.from('ff0200000000000000000001ff', 'hex');
const [TYPE, SOLICITATION, ADVERTISEMENT] = [inFrame(54, 2), Buffer.from('8700', 'hex'), Buffer.from('8800', 'hex')];
const CHECKSUM6 = 56;
/** solicited and override, no router (RFC 4861 section 4.4) */
const [FLAGS, ANSWER_FLAGS] = [inFrame(58, 4), Buffer.from('60000000', 'hex')];
const ASKED6 = inFrame(62, 16);
const [OPTION, SOURCE_OPTION, TARGET_OPTION] = [inFrame(78, 2), Buffer.from('0101', 'hex'), Buffer.from('0201', 'hex')];
const OPTION_MAC = inFrame(80, 6);

type Rule = readonly Expression[];

const holds = (place: Place, value: Uint8Array, unequal = false): Rule => [load(place, 1), compare(1, value, unequal)];

const write = (place: Place, value: Uint8Array, checksum?: number): Rule => [put(3, value), store(place, 3, checksum)];

const IS_GROUP: Rule = [load(GROUP_BYTE, 1), masked(1, Buffer.of(1)), compare(1, Buffer.of(1))];
const ASKS4: Rule = [...holds(TARGET_MAC, Buffer.alloc(6, 0xff)), ...holds(ARP_HEADER, REQUEST)];
const ASKS6: Rule = [
  ...holds(inFrame(0, 3), Buffer.from('3333ff', 'hex')),
  ...holds(ETHERTYPE, IPV6),
  ...holds(LENGTH_TO_HOPS, SOLICITATION_HEADER),
  ...holds(TARGET6_PREFIX, SOLICITED_NODE),
  ...holds(TYPE, SOLICITATION),
  ...holds(OPTION, SOURCE_OPTION),
  ...holds(SOURCE6, Buffer.alloc(16), true),
];

/** Whoever has an address of another site for its own says that it has moved, or is there twice: all are to hear it. */
function announced(family: 4 | 6, asks: Rule, sender: Place): Rule {
  return [...asks, load(sender, 1), lookUp(NEIGHBOUR_MAPS[family], 1, 2), accept()];
}

/** Finds the asked address's MAC (register 2; the address stays in 1), and sends the frame back to its sender. */
function found(family: 4 | 6, asks: Rule, asked: Place): Rule {
  return [
    ...asks,
    load(asked, 1),
    lookUp(NEIGHBOUR_MAPS[family], 1, 2),
    load(SOURCE_MAC, 4),
    store(TARGET_MAC, 4),
    store(SOURCE_MAC, 2),
    counted(SUPPRESSED),
  ];
}

function out(answerer: number): Rule {
  const index = Buffer.alloc(4);
  index.writeUInt32LE(answerer);
  return [put(3, index), forward(3)];
}

/** The request becomes its reply in place: who asked is the target, the asked one is the sender. */
function reply4(answerer: number): Rule {
  return [
    ...found(4, ASKS4, ASKED),
    load(WHOLE_SENDER, 3),
    store(WHOLE_TARGET, 3),
    store(SENDER_MAC, 2),
    store(SENDER, 1),
    ...write(OPERATION, REPLY),
    ...out(answerer),
  ];
}

/** Likewise the solicitation its advertisement; each change of what the checksum covers mends that. */
function reply6(answerer: number): Rule {
  const mended = (place: Place, from: Register): Expression => store(place, from, CHECKSUM6);
  return [
    ...found(6, ASKS6, ASKED6),
    load(SOURCE6, 3),
    mended(TARGET6, 3),
    mended(SOURCE6, 1),
    mended(OPTION_MAC, 2),
    ...write(TYPE, ADVERTISEMENT, CHECKSUM6),
    ...write(FLAGS, ANSWER_FLAGS, CHECKSUM6),
    ...write(OPTION, TARGET_OPTION, CHECKSUM6),
    ...out(answerer),
  ];
}

/** The rules by their chains; nearly all frames are unicast, and pass the first one only. */
function rulesOf(answerer: number): readonly (readonly [chain: string, rule: Rule])[] {
  const groups = [announced(4, ASKS4, SENDER), reply4(answerer), announced(6, ASKS6, SOURCE6), reply6(answerer)];
  return [[BASE, [...IS_GROUP, goTo(GROUPS)]], ...groups.map((rule) => [GROUPS, rule] as const)];
}

/** How many rules a table of neighbours has. */
export const NEIGHBOUR_RULES = rulesOf(0).length;

/**
 * A table that answers, in the name of an address's MAC, who asks for it on the way out of `device`; all else passes.
 * The answers leave by the interface with the index `answerer`, towards those who ask. Maps and counter that stand stay.
 * @param mark what each rule bears, by which it is known again
 */
export function neighbourTable(name: string, device: string, answerer: number, mark: string): readonly NftChange[] {
  const hook = nested(4, number(1, HOOK_EGRESS), number(2, PRIORITY), text(3, device));
  const table = text(1, name);
  return [
    change(NFT.NEW_TABLE, NETLINK.CREATE, table),
    change(NFT.NEW_OBJECT, NETLINK.CREATE, table, text(2, SUPPRESSED), number(3, 1), nested(4)),
    ...([4, 6] as const).map((family) => newMap(table, family)),
    change(NFT.NEW_CHAIN, NETLINK.CREATE, table, text(3, BASE), hook, text(7, 'filter')),
    change(NFT.NEW_CHAIN, NETLINK.CREATE, table, text(3, GROUPS)),
    change(NFT.DELETE_RULE, 0, table, text(2, BASE)),
    change(NFT.DELETE_RULE, 0, table, text(2, GROUPS)),
    ...rulesOf(answerer).map(([chain, rule]) => newRule(table, chain, rule, mark)),
  ];
}

function newMap(table: Buffer, family: 4 | 6): NftChange {
  return change(
    NFT.NEW_SET,
    NETLINK.CREATE,
    table,
    text(2, NEIGHBOUR_MAPS[family]),
    number(3, IS_MAP),
    number(4, TYPES[family]),
    number(5, LENGTHS[family]),
    number(6, TYPES.mac),
    number(7, LENGTHS.mac),
    number(10, family),
  );
}

/** The mark as nft's comment: type 0, length, text (libnftnl's udata). */
function newRule(table: Buffer, chain: string, rule: Rule, mark: string): NftChange {
  const comment = Buffer.concat([Buffer.of(0, mark.length + 1), Buffer.from(`${mark}\0`)]);
  return change(
    NFT.NEW_RULE,
    NETLINK.CREATE | NETLINK.APPEND,
    table,
    text(2, chain),
    nested(4, ...rule),
    attribute(7, comment),
  );
}
