import { randomBytes, randomInt } from 'node:crypto';
import type { EchoSocket, openEchoSocket } from '../host/echo-socket.ts';
import { familyOf, parseIp } from '../model/ip.ts';
import type { EventSink } from '../model/status.ts';
import { type Echo, ECHO_LEAST, echoRequest, type Heard, readIcmp4, readIcmp6, renumber } from '../packet/echo.ts';
import { PathSearch } from '../peers/liveness/path-search.ts';
import type { Probed, Probes } from '../peers/liveness/probed.ts';
import { type PulseChange, Pulses } from '../peers/liveness/pulses.ts';
import type { Clock } from '../service/clock.ts';
import { messageOf } from '../service/errors.ts';

/** Probes that are due within it go together; and so often the searches for path MTUs go on. */
const TURN_MS = 50;
/** How often is looked whether one is to begin. */
const SEARCH_MS = 1000;
/** A socket that cannot be opened is tried again. */
const REOPEN_MS = 30_000;
/** Whoever has not answered for so long will not. */
const SILENCE_MS = 3000;
/** Requests on their way that are remembered: more than are sent while anybody may still answer. */
const PENDING_MAX = 2048;

export type ProbeFrom = {
  /** this gateway's VTEP, and the MTU of the link that has it */
  readonly address: string;
  readonly mtu: number;
};

export type PeerProbesOptions = {
  readonly clock: Clock;
  readonly open: typeof openEchoSocket;
  readonly onEvent: EventSink;
  /** told of each VTEP that began or ceased to answer, or whose path MTU changed */
  readonly onChange: (ip: string) => void;
};

/** A request that waits for its answer. @prop size of a search's; undefined: of a pulse */
type Pending = { readonly ip: string; readonly size: number; readonly search: boolean; readonly checksum: number };

/** Asks the peers' VTEPs over the underlay whether they live, and how large a packet the way to each passes. */
export class PeerProbes implements Probes {
  readonly #options: PeerProbesOptions;
  readonly #pulses = new Pulses();
  readonly #searches = new Map<string, PathSearch>();
  /** whoever has not seen a request cannot answer it */
  readonly #identifier = randomInt(0x10000);
  readonly #token = randomBytes(8);
  /** the pulses' requests, by address, to be renumbered */
  readonly #requests = new Map<string, Buffer>();
  #searchDue = -Infinity;
  #searching = false;
  readonly #pending = new Map<number, Pending>();
  #sequence = randomInt(0x10000);
  #from: ProbeFrom | undefined;
  #socket: { readonly family: 4 | 6; readonly echo: EchoSocket } | undefined;
  #unopened = false;
  #refused = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PeerProbesOptions) {
    this.#options = options;
  }

  /** Whom to probe from now on, all of the own VTEP's address family. */
  follow(from: ProbeFrom | undefined, ips: ReadonlySet<string>): void {
    const now = this.#options.clock.monotonic();
    if (from?.address !== this.#from?.address) this.#requests.clear();
    this.#from = from;
    const wanted = from === undefined ? new Set<string>() : ips;
    this.#pulses.follow(wanted, now);
    for (const ip of this.#searches.keys()) if (!wanted.has(ip)) this.#forget(ip);
    for (const ip of wanted) if (!this.#searches.has(ip)) this.#searches.set(ip, new PathSearch(familyOf(ip), now));
    if (wanted.size === 0) this.stop();
    else this.#schedule();
  }

  of(ip: string): Probed | undefined {
    const pulse = this.#pulses.of(ip);
    if (pulse === undefined) return undefined;
    const { state, rtt, answered } = pulse;
    return { state, rtt, answered, pathMtu: this.#searches.get(ip)?.mtu };
  }

  hurry(ip: string): void {
    this.#pulses.of(ip)?.hurry(this.#options.clock.monotonic());
    this.#schedule();
  }

  /** Asks now; returns a way to see whether all is known that will be, also where nobody answers. */
  ask(ip: string): () => boolean {
    const asked = this.#options.clock.monotonic();
    this.#pulses.of(ip)?.ask(asked);
    this.#searches.get(ip)?.ask(asked);
    this.#searchDue = asked;
    this.#searching = true;
    this.#schedule();
    return () => {
      const [pulse, search] = [this.#pulses.of(ip), this.#searches.get(ip)];
      if (pulse === undefined || search === undefined) return true;
      const answered = (pulse.answered ?? -Infinity) > asked;
      return answered ? search.ended > asked : this.#options.clock.monotonic() > asked + SILENCE_MS;
    };
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#socket?.echo.close();
    this.#socket = undefined;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const { due } = this.#pulses;
    if (due === undefined || this.#from === undefined) return;
    if (this.#unopened) {
      this.#timer = setTimeout(() => this.#turn(), REOPEN_MS).unref();
      return;
    }
    const wait = (this.#searching ? Math.min(due, this.#searchDue) : due) - this.#options.clock.monotonic();
    this.#timer = setTimeout(() => this.#turn(), Math.max(TURN_MS, wait)).unref();
  }

  #turn(): void {
    const now = this.#options.clock.monotonic();
    const socket = this.#open();
    // Unheard is not unanswered.
    if (socket !== undefined) {
      this.#tell(this.#pulses.take(now, (ip) => this.#send(socket, ip, ECHO_LEAST[familyOf(ip)], false)));
      if (now >= this.#searchDue) this.#search(socket, now);
    }
    this.#schedule();
  }

  #search(socket: EchoSocket, now: number): void {
    const top = this.#from?.mtu ?? 0;
    this.#searchDue = now + SEARCH_MS;
    this.#searching = false;
    for (const [ip, search] of this.#searches) {
      const { state, answered, rtt } = this.#pulses.of(ip) ?? {};
      if (answered === undefined || rtt === undefined) continue;
      if (state === 'down') search.abort(now);
      if (state !== 'up') continue;
      const size = this.#watched(ip, search, () => search.take(now, top, { answered, rtt }));
      if (size !== undefined) this.#send(socket, ip, size, true);
      this.#searching ||= search.isSearching;
    }
    if (this.#searching) this.#searchDue = now + TURN_MS;
  }

  /** Returns its sequence number. */
  #send(socket: EchoSocket, ip: string, size: number, search: boolean): number {
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const packet = search ? this.#request(ip, size) : (this.#requests.get(ip) ?? this.#request(ip, size));
    if (!search) this.#requests.set(ip, packet);
    const checksum = renumber(packet, this.#sequence);
    this.#pending.delete(this.#sequence);
    this.#pending.set(this.#sequence, { ip, size, search, checksum });
    const [oldest] = this.#pending.keys();
    if (this.#pending.size > PENDING_MAX && oldest !== undefined) this.#pending.delete(oldest);
    socket.send(packet, ip);
    return this.#sequence;
  }

  #request(ip: string, size: number): Buffer {
    const echo: Echo = { identifier: this.#identifier, sequence: 0, token: this.#token };
    return echoRequest(this.#from?.address ?? '', ip, size, echo);
  }

  #forget(ip: string): void {
    this.#searches.delete(ip);
    this.#requests.delete(ip);
  }

  #hear(heard: Heard | undefined, from: string): void {
    if (heard?.kind === 'reply') this.#answered(heard.echo, from);
    if (heard?.kind === 'tooBig') this.#tooBig(heard);
  }

  #answered({ identifier, sequence, token }: Echo, from: string): void {
    const pending = this.#pending.get(sequence);
    if (identifier !== this.#identifier || pending?.ip !== from || !token.equals(this.#token)) return;
    const now = this.#options.clock.monotonic();
    this.#pending.delete(sequence);
    if (!pending.search) return this.#tell(this.#pulses.answer(from, sequence, now));
    const search = this.#searches.get(from);
    if (search) this.#watched(from, search, () => search.passed(pending.size, now));
  }

  #tooBig({ target, mtu, request }: Heard & { readonly kind: 'tooBig' }): void {
    const now = this.#options.clock.monotonic();
    const search = this.#searches.get(target);
    if (search === undefined) return;
    if (request?.identifier !== this.#identifier) return search.disturb(now);
    const pending = this.#pending.get(request.sequence);
    if (pending?.ip !== target || pending.checksum !== request.checksum) return;
    this.#watched(target, search, () => search.named(pending.size, mtu, now));
  }

  #watched<T>(ip: string, search: PathSearch, act: () => T): T {
    const before = search.mtu;
    const result = act();
    if (search.mtu !== before) this.#options.onChange(ip);
    return result;
  }

  #tell(changes: readonly PulseChange[]): void {
    for (const { ip } of changes) this.#options.onChange(ip);
  }

  #open(): EchoSocket | undefined {
    const family = familyOf(this.#from?.address ?? '');
    if (this.#socket?.family === family) return this.#socket.echo;
    this.#socket?.echo.close();
    this.#socket = undefined;
    const read = family === 4 ? readIcmp4 : readIcmp6;
    // The kernel's text of an IPv4 address is the only one; of IPv6 there are several.
    const textOf = (from: string): string => (family === 4 ? from : (parseIp(from) ?? ''));
    const hear = (message: Buffer, from: string): void => this.#hear(read(message), textOf(from));
    try {
      this.#socket = { family, echo: this.#options.open(family, hear, () => (this.#socket = undefined)) };
      this.#unopened = false;
    } catch (error) {
      this.#unopened = true;
      this.#refuse(messageOf(error));
    }
    return this.#socket?.echo;
  }

  #refuse(message: string): void {
    if (message === this.#refused) return;
    this.#refused = message;
    this.#options.onEvent('probes_unavailable', 'warning', `${message}; peers are judged by the broker alone`);
  }
}
