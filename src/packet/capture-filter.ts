import { familyOf, parseIp } from '../model/ip.ts';
import { macBytes, parseMac } from '../model/mac.ts';
import { addressBytes } from './address.ts';

/** Whether a whole Ethernet frame is wanted. */
export type FrameFilter = (frame: Uint8Array) => boolean;

const PROTOCOLS = new Map([
  ['arp', (header: Header): boolean => header.etherType === 0x0806],
  ['ip', (header: Header): boolean => header.etherType === 0x0800],
  ['ip6', (header: Header): boolean => header.etherType === 0x86dd],
  ['icmp', (header: Header): boolean => header.protocol === 1],
  ['icmp6', (header: Header): boolean => header.protocol === 58],
  ['tcp', (header: Header): boolean => header.protocol === 6],
  ['udp', (header: Header): boolean => header.protocol === 17],
]);

type Header = {
  readonly frame: Buffer;
  readonly etherType: number;
  readonly protocol: number;
  readonly addresses: readonly [Buffer, Buffer] | undefined;
  readonly ports: readonly [number, number] | undefined;
};

type Term = (header: Header) => boolean;

/**
 * A filter from words as tcpdump has them: `arp`, `ip`, `ip6`, `icmp`, `icmp6`, `tcp`, `udp`, `host ADDRESS`,
 * `ether host MAC`, `port N`, each with `not` before it where wanted, joined by `and`. Empty text lets all through.
 * @throws RangeError that names the word which is none of these
 */
export function parseCaptureFilter(text: string): FrameFilter {
  const words = text.trim() === '' ? [] : text.trim().toLowerCase().split(/\s+/);
  const terms: Term[] = [];
  while (words.length > 0) {
    terms.push(takeTerm(words));
    if (words.length > 0 && words.shift() !== 'and')
      throw new RangeError(`join the filter's terms with "and": ${text}`);
  }
  return (frame) => {
    const header = readHeader(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength));
    return terms.every((term) => term(header));
  };
}

function takeTerm(words: string[]): Term {
  const word = words.shift() ?? '';
  if (word === 'not') {
    const inner = takeTerm(words);
    return (header) => !inner(header);
  }
  if (word === 'host') return hostTerm(words.shift() ?? '');
  if (word === 'port') return portTerm(words.shift() ?? '');
  if (word === 'ether' && words.shift() === 'host') return macTerm(words.shift() ?? '');
  const protocol = PROTOCOLS.get(word);
  if (protocol === undefined) {
    throw new RangeError(`"${word}" is no filter; give ${[...PROTOCOLS.keys()].join(', ')}, host, ether host or port`);
  }
  return protocol;
}

function hostTerm(text: string): Term {
  const ip = parseIp(text);
  if (ip === undefined) throw new RangeError(`host "${text}": give an IPv4 or IPv6 address`);
  const address = addressBytes(ip, familyOf(ip));
  return ({ addresses }) => addresses?.some((own) => own.equals(address)) ?? false;
}

function macTerm(text: string): Term {
  const mac = parseMac(text);
  if (mac === undefined) throw new RangeError(`ether host "${text}": give a MAC such as 02:00:00:00:00:01`);
  const bytes = macBytes(mac);
  return ({ frame }) => bytes.equals(frame.subarray(0, 6)) || bytes.equals(frame.subarray(6, 12));
}

function portTerm(text: string): Term {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new RangeError(`port "${text}": give a number up to 65535`);
  return ({ ports }) => ports?.includes(port) ?? false;
}

/** What the terms look at; whatever a short or lying frame does not have is absent. */
function readHeader(frame: Buffer): Header {
  let at = 12;
  let etherType = at + 2 <= frame.length ? frame.readUInt16BE(at) : 0;
  while ((etherType === 0x8100 || etherType === 0x88a8) && at + 6 <= frame.length) {
    at += 4;
    etherType = frame.readUInt16BE(at);
  }
  const network = at + 2;
  if (etherType === 0x0800 && network + 20 <= frame.length) return readIpv4(frame, network);
  if (etherType === 0x86dd && network + 40 <= frame.length) return readIpv6(frame, network);
  if (etherType === 0x0806 && network + 28 <= frame.length) {
    const addresses = [frame.subarray(network + 14, network + 18), frame.subarray(network + 24, network + 28)] as const;
    return { frame, etherType, protocol: -1, addresses, ports: undefined };
  }
  return { frame, etherType, protocol: -1, addresses: undefined, ports: undefined };
}

function readIpv4(frame: Buffer, at: number): Header {
  const protocol = frame.readUInt8(at + 9);
  const addresses = [frame.subarray(at + 12, at + 16), frame.subarray(at + 16, at + 20)] as const;
  const first = (frame.readUInt16BE(at + 6) & 0x1fff) === 0;
  const transport = at + (frame.readUInt8(at) & 15) * 4;
  return {
    frame,
    etherType: 0x0800,
    protocol,
    addresses,
    ports: first ? portsAt(frame, transport, protocol) : undefined,
  };
}

function readIpv6(frame: Buffer, at: number): Header {
  const protocol = frame.readUInt8(at + 6);
  const addresses = [frame.subarray(at + 8, at + 24), frame.subarray(at + 24, at + 40)] as const;
  return { frame, etherType: 0x86dd, protocol, addresses, ports: portsAt(frame, at + 40, protocol) };
}

function portsAt(frame: Buffer, at: number, protocol: number): readonly [number, number] | undefined {
  if ((protocol !== 6 && protocol !== 17) || at + 4 > frame.length) return undefined;
  return [frame.readUInt16BE(at), frame.readUInt16BE(at + 2)];
}
