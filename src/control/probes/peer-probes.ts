import type { openEchoSocket } from '../../host/echo-socket.ts';
import { familyOf } from '../../model/ip.ts';
import type { EventSink } from '../../model/status.ts';
import { PathSearch } from '../../peers/liveness/path-search.ts';
import type { EchoProbed, Probes } from '../../peers/liveness/probed.ts';
import { type PulseChange, Pulses } from '../../peers/liveness/pulses.ts';
import type { Clock } from '../../service/clock.ts';
import { Echoes } from './echoes.ts';
import { Turn } from './turn.ts';

/** Probes that are due within it go together; and so often the searches for path MTUs go on. */
const TURN_MS = 50;
/** How often is looked whether one is to begin. */
const SEARCH_MS = 1000;
/** A socket that cannot be opened is tried again. */
const REOPEN_MS = 30_000;
/** Whoever has not answered for so long will not. */
const SILENCE_MS = 3000;

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

/** Asks the peers' VTEPs over the underlay whether they live, and how large a packet the way to each passes. */
export class PeerProbes implements Probes {
  readonly #options: PeerProbesOptions;
  readonly #echoes: Echoes;
  readonly #pulses = new Pulses();
  readonly #searches = new Map<string, PathSearch>();
  readonly #turn: Turn;
  #from: ProbeFrom | undefined;
  #searchDue = -Infinity;
  #searching = false;

  constructor(options: PeerProbesOptions) {
    this.#options = options;
    this.#turn = new Turn(options.clock, () => this.#ask());
    this.#echoes = new Echoes({
      ...options,
      onAnswer: (...answer) => this.#answered(...answer),
      onTooBig: (...error) => this.#tooBig(...error),
    });
  }

  /** Whom to probe from now on, all of the own VTEP's address family. */
  follow(from: ProbeFrom | undefined, ips: ReadonlySet<string>): void {
    const now = this.#now;
    const wanted = from === undefined ? new Set<string>() : ips;
    this.#from = from;
    this.#echoes.use(from?.address ?? '', wanted);
    this.#pulses.follow(wanted, now);
    for (const ip of this.#searches.keys()) if (!wanted.has(ip)) this.#searches.delete(ip);
    for (const ip of wanted) if (!this.#searches.has(ip)) this.#searches.set(ip, new PathSearch(familyOf(ip), now));
    if (wanted.size === 0) this.stop();
    else this.#schedule();
  }

  of(ip: string): EchoProbed | undefined {
    const pulse = this.#pulses.of(ip);
    if (pulse === undefined) return undefined;
    const { state, rtt, answered, missed } = pulse;
    return { state, rtt, answered, missed, pathMtu: this.#searches.get(ip)?.mtu };
  }

  hurry(ip: string): void {
    this.#pulses.of(ip)?.hurry(this.#now);
    this.#schedule();
  }

  /** Asks now; returns a way to see whether all is known that will be, also where nobody answers. */
  ask(ip: string): () => boolean {
    const asked = this.#now;
    this.#pulses.of(ip)?.ask(asked);
    this.#searches.get(ip)?.ask(asked);
    this.#searchSoon();
    return () => {
      const [pulse, search] = [this.#pulses.of(ip), this.#searches.get(ip)];
      if (pulse === undefined || search === undefined) return true;
      const answered = (pulse.answered ?? -Infinity) > asked;
      return answered ? search.ended > asked : this.#now > asked + SILENCE_MS;
    };
  }

  stop(): void {
    this.#turn.stop();
    this.#echoes.close();
  }

  get #now(): number {
    return this.#options.clock.monotonic();
  }

  #schedule(): void {
    const { due } = this.#pulses;
    if (due === undefined) return;
    this.#turn.within(Math.max(TURN_MS, (this.#searching ? Math.min(due, this.#searchDue) : due) - this.#now));
  }

  #ask(): void {
    // Unheard is not unanswered.
    if (!this.#echoes.ready()) return this.#turn.within(REOPEN_MS);
    const now = this.#now;
    this.#tell(this.#pulses.take(now, (ip) => this.#echoes.send(ip)));
    if (now >= this.#searchDue) this.#search(now);
    this.#schedule();
  }

  #search(now: number): void {
    const top = this.#from?.mtu ?? 0;
    this.#searching = false;
    for (const [ip, search] of this.#searches) {
      const { state, answered, rtt } = this.#pulses.of(ip) ?? {};
      if (answered === undefined || rtt === undefined) continue;
      if (state === 'down') search.abort(now);
      if (state !== 'up') continue;
      const size = this.#watched(ip, search, () => search.take(now, top, { answered, rtt }));
      if (size !== undefined) this.#echoes.send(ip, size);
      this.#searching ||= search.isSearching;
    }
    this.#searchDue = now + (this.#searching ? TURN_MS : SEARCH_MS);
  }

  #searchSoon(): void {
    this.#searchDue = this.#now;
    this.#searching = true;
    this.#schedule();
  }

  /** Each knows its own requests: a search's by their size, a pulse's by their number. */
  #answered(ip: string, sequence: number, size: number): void {
    const search = this.#searches.get(ip);
    if (search !== undefined) this.#watched(ip, search, () => search.passed(size, this.#now));
    this.#tell(this.#pulses.answer(ip, sequence, this.#now));
  }

  #tooBig(ip: string, size: number | undefined, mtu: number): void {
    const search = this.#searches.get(ip);
    if (search === undefined) return;
    if (size === undefined) search.disturb(this.#now);
    else this.#watched(ip, search, () => search.named(size, mtu, this.#now));
  }

  #watched<T>(ip: string, search: PathSearch, act: () => T): T {
    const before = search.mtu;
    const result = act();
    if (search.mtu !== before) this.#options.onChange(ip);
    return result;
  }

  #tell(changes: readonly PulseChange[]): void {
    for (const { ip, to } of changes) {
      this.#options.onChange(ip);
      if (to === 'up') this.#searchSoon();
    }
  }
}
