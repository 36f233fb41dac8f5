import { randomBytes, randomInt } from 'node:crypto';
import type { EchoSocket, openEchoSocket } from '../../host/echo-socket.ts';
import { familyOf, parseIp } from '../../model/ip.ts';
import type { EventSink } from '../../model/status.ts';
import { type Echo, ECHO_LEAST, echoRequest, type Heard, readIcmp4, readIcmp6, renumber } from '../../packet/echo.ts';
import { messageOf } from '../../service/errors.ts';

/** Requests on their way that are remembered: more than are sent while anybody may still answer. */
const PENDING_MAX = 2048;

/** A request that waits for its answer. */
type Pending = { readonly ip: string; readonly size: number; readonly checksum: number };

export type EchoesOptions = {
  readonly open: typeof openEchoSocket;
  readonly onEvent: EventSink;
  /** to a request of `size` bytes, once at most */
  readonly onAnswer: (ip: string, sequence: number, size: number) => void;
  /** a router passes no more than `mtu`: of our request of `size` bytes, or (undefined) of another packet to that address */
  readonly onTooBig: (ip: string, size: number | undefined, mtu: number) => void;
};

/** Sends echo requests from the own VTEP's address, and knows their answers from what anybody else may send. */
export class Echoes {
  readonly #options: EchoesOptions;
  /** whoever has not seen a request cannot answer it */
  readonly #identifier = randomInt(0x10000);
  readonly #token = randomBytes(8);
  readonly #pending = new Map<number, Pending>();
  /** the smallest requests, by address, to be renumbered */
  readonly #requests = new Map<string, Buffer>();
  #sequence = randomInt(0x10000);
  #from = '';
  #socket: { readonly family: 4 | 6; readonly echo: EchoSocket } | undefined;
  #refused = '';

  constructor(options: EchoesOptions) {
    this.#options = options;
  }

  /** The address to send from, and all those to send to, from now on. */
  use(from: string, ips: ReadonlySet<string>): void {
    if (from !== this.#from) this.#requests.clear();
    this.#from = from;
    for (const ip of this.#requests.keys()) if (!ips.has(ip)) this.#requests.delete(ip);
  }

  /** Whether there is a socket, which this opens; why there is none is told once. */
  ready(): boolean {
    const family = familyOf(this.#from);
    if (this.#socket?.family === family) return true;
    this.close();
    const read = family === 4 ? readIcmp4 : readIcmp6;
    // The kernel's text of an IPv4 address is the only one; of IPv6 there are several.
    const textOf = (from: string): string => (family === 4 ? from : (parseIp(from) ?? ''));
    const hear = (message: Buffer, from: string): void => this.#hear(read(message), textOf(from));
    try {
      this.#socket = { family, echo: this.#options.open(family, hear, () => (this.#socket = undefined)) };
    } catch (error) {
      this.#refuse(messageOf(error));
    }
    return this.#socket !== undefined;
  }

  /** Sends a request, the smallest where no size is given; returns its sequence number. */
  send(ip: string, size?: number): number {
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const packet = size === undefined ? this.#least(ip) : this.#make(ip, size);
    const checksum = renumber(packet, this.#sequence);
    // anew, so that the oldest is the first
    this.#pending.delete(this.#sequence);
    this.#pending.set(this.#sequence, { ip, size: packet.length, checksum });
    const [oldest] = this.#pending.keys();
    if (this.#pending.size > PENDING_MAX && oldest !== undefined) this.#pending.delete(oldest);
    this.#socket?.echo.send(packet, ip);
    return this.#sequence;
  }

  close(): void {
    this.#socket?.echo.close();
    this.#socket = undefined;
  }

  #least(ip: string): Buffer {
    const packet = this.#requests.get(ip) ?? this.#make(ip, ECHO_LEAST[familyOf(ip)]);
    this.#requests.set(ip, packet);
    return packet;
  }

  #make(ip: string, size: number): Buffer {
    const echo: Echo = { identifier: this.#identifier, sequence: 0, token: this.#token };
    return echoRequest(this.#from, ip, size, echo);
  }

  #hear(heard: Heard | undefined, from: string): void {
    if (heard?.kind === 'reply') this.#answered(heard.echo, from);
    if (heard?.kind === 'tooBig') this.#tooBig(heard);
  }

  #answered({ identifier, sequence, token }: Echo, from: string): void {
    const pending = this.#pending.get(sequence);
    if (identifier !== this.#identifier || pending?.ip !== from || !token.equals(this.#token)) return;
    this.#pending.delete(sequence);
    this.#options.onAnswer(from, sequence, pending.size);
  }

  #tooBig({ target, mtu, request }: Heard & { readonly kind: 'tooBig' }): void {
    if (request?.identifier !== this.#identifier) return this.#options.onTooBig(target, undefined, mtu);
    const pending = this.#pending.get(request.sequence);
    if (pending?.ip === target && pending.checksum === request.checksum) {
      this.#options.onTooBig(target, pending.size, mtu);
    }
  }

  #refuse(message: string): void {
    if (message === this.#refused) return;
    this.#refused = message;
    this.#options.onEvent('probes_unavailable', 'warning', `${message}; peers are judged by the broker alone`);
  }
}
