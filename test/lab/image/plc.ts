import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mac } from '../../../src/model/mac.ts';
import { macBytes } from '../../../src/model/mac.ts';
import { addressBytes } from '../../../src/packet/address.ts';
import { gratuitousArp, readArpClaim } from '../../../src/packet/arp.ts';
import { internetChecksum } from '../../../src/packet/checksum.ts';
import { echoRequest } from '../../../src/packet/echo.ts';
import type { Lab } from '../lab.ts';
import type { Cable } from './qemu.ts';

export type PlcOptions = {
  readonly mac: Mac;
  readonly address: string;
  /** the VLAN that its port of the plant's switch puts its frames into */
  readonly vlan: number;
  /** the other end of the gateway's plant cable */
  readonly cable: Cable;
};

const [ARP, IPV4] = [0x0806, 0x0800];
const [ETHERNET, TAG, IP, ICMP] = [14, 4, 20, 8];
const [ECHO_REPLY, ECHO_REQUEST] = [0, 8];

/** A device of the plant, on a VLAN of the gateway's trunk: it answers ARP and ping, and pings others. */
export class Plc {
  readonly #options: PlcOptions;
  readonly #socket: Socket;
  readonly #neighbours = new Map<string, Buffer>();
  readonly #answered = new Set<number>();
  #sequence = 0;

  private constructor(options: PlcOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    socket.on('message', (frame) => this.#receive(frame));
  }

  static async plugIn(lab: Lab, options: PlcOptions): Promise<Plc> {
    const socket = createSocket('udp4');
    await once(socket.bind(options.cable.local, '127.0.0.1'), 'listening');
    lab.defer(() => new Promise<void>((closed) => void socket.close(closed)));
    return new Plc(options, socket);
  }

  /** Whether an address of its network answers a ping within the time. */
  async reaches(address: string, timeoutMs = 1000): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    const first = this.#sequence + 1;
    while (performance.now() < deadline) {
      this.#ask(address);
      await sleep(100);
      for (let sent = first; sent <= this.#sequence; sent += 1) if (this.#answered.has(sent)) return true;
    }
    return false;
  }

  #ask(address: string): void {
    const { mac, address: own } = this.#options;
    const neighbour = this.#neighbours.get(address);
    if (!neighbour) {
      const request = gratuitousArp(mac, own);
      addressBytes(address, 4).copy(request, ETHERNET + 24);
      this.#send(request);
      return;
    }
    this.#sequence += 1;
    const echo = { identifier: 1, sequence: this.#sequence, token: Buffer.alloc(8) };
    const packet = echoRequest(own, address, IP + ICMP + 8, echo);
    packet.writeUInt16BE(internetChecksum(packet.subarray(0, IP)), 10);
    this.#send(Buffer.concat([neighbour, macBytes(mac), Buffer.from([IPV4 >> 8, IPV4 & 0xff]), packet]));
  }

  #receive(tagged: Buffer): void {
    // The switch leaves the tag out, and keeps all other VLANs away.
    if (tagged.length < ETHERNET + TAG || tagged.readUInt16BE(12) !== 0x8100) return;
    if ((tagged.readUInt16BE(14) & 0xfff) !== this.#options.vlan) return;
    const frame = Buffer.concat([tagged.subarray(0, 12), tagged.subarray(16)]);
    if (frame.readUInt16BE(12) === ARP) this.#receiveArp(frame);
    else if (frame.readUInt16BE(12) === IPV4) this.#receiveIp(frame);
  }

  #receiveArp(frame: Buffer): void {
    const claim = readArpClaim(frame);
    if (!claim) return;
    this.#neighbours.set(claim.address, macBytes(claim.mac));
    const { mac, address } = this.#options;
    const own = addressBytes(address, 4);
    const arp = frame.subarray(ETHERNET);
    if (arp.readUInt16BE(6) !== 1 || !arp.subarray(24, 28).equals(own)) return;
    const reply = gratuitousArp(mac, address);
    macBytes(claim.mac).copy(reply, 0);
    reply.writeUInt16BE(2, ETHERNET + 6);
    macBytes(claim.mac).copy(reply, ETHERNET + 18);
    addressBytes(claim.address, 4).copy(reply, ETHERNET + 24);
    this.#send(reply);
  }

  #receiveIp(frame: Buffer): void {
    const packet = frame.subarray(ETHERNET);
    if (packet.length < IP + ICMP || packet.readUInt8(9) !== 1) return;
    if (!packet.subarray(16, 20).equals(addressBytes(this.#options.address, 4))) return;
    const length = (packet.readUInt8(0) & 0xf) * 4;
    const message = packet.subarray(length, packet.readUInt16BE(2));
    if (message.readUInt8(0) === ECHO_REPLY) this.#answered.add(message.readUInt16BE(6));
    if (message.readUInt8(0) === ECHO_REQUEST) this.#send(echoReply(frame, this.#options.mac, length));
  }

  #send(frame: Buffer): void {
    const { vlan, cable } = this.#options;
    const tag = Buffer.from([0x81, 0x00, vlan >> 8, vlan & 0xff]);
    this.#socket.send(Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]), cable.remote, '127.0.0.1');
  }
}

/** The request with its ends exchanged; the checksum of IP stays right by that. */
function echoReply(request: Buffer, mac: Mac, header: number): Buffer {
  const reply = Buffer.from(request);
  request.copy(reply, 0, 6, 12);
  macBytes(mac).copy(reply, 6);
  const packet = reply.subarray(ETHERNET, ETHERNET + reply.readUInt16BE(ETHERNET + 2));
  request.copy(packet, 12, ETHERNET + 16, ETHERNET + 20);
  request.copy(packet, 16, ETHERNET + 12, ETHERNET + 16);
  const message = packet.subarray(header);
  message.writeUInt8(ECHO_REPLY, 0);
  message.writeUInt16BE(0, 2);
  message.writeUInt16BE(internetChecksum(message), 2);
  return reply;
}
