/** What a router said is forgotten, and a way may have become wider, after ten minutes (RFC 1191 section 6.3). */
const AGAIN_MS = 600_000;
/** That the whole of the own link's size still passes costs one packet to know. */
const CONFIRM_MS = 60_000;
/** Anybody may send errors: they begin a search no more often than this. */
const DISTURBED_MS = 10_000;
/**
 * A size has failed when that many packets of it brought no answer, after each of which a small one did: whoever answers
 * nothing at all says nothing about sizes. For that small one, of which there is one a second, is waited so long.
 */
const TRIES = 3;
const PATIENCE_MS = 300;
const BEAT_MS = 1500;
/** Every way passes as much: RFC 791 section 3.1 as it is lived by, RFC 8200 section 5. */
export const PATH_LEAST = { 4: 576, 6: 1280 } as const;

type Search = {
  /** the largest size that passes for sure, and the smallest that does not */
  low: number;
  high: number;
  size: number;
  /** packets of this size that were lost for sure */
  lost: number;
  /** when the last one was sent; undefined: none yet */
  at: number | undefined;
  /** a router named this size: when it passes, it is the answer */
  named: boolean;
};

/** What the pulse of the same VTEP says. */
export type Beat = {
  /** when the last small probe was answered */
  readonly answered: number;
  /** the mean round trip in milliseconds */
  readonly rtt: number;
};

/**
 * Finds the largest IP packet that the way to one VTEP passes: first the own link's size, then the one that a router
 * named (RFC 1191, RFC 8201), and where none speaks (RFC 4821's black holes) by halves. Pure: `now` is monotonic
 * milliseconds, and whoever owns it calls `take` often.
 */
export class PathSearch {
  readonly #least: number;
  #search: Search | undefined;
  #due: number;
  #began = -Infinity;
  #top = 0;
  #mtu: number | undefined;
  #ended = -Infinity;

  constructor(family: 4 | 6, now: number) {
    this.#least = PATH_LEAST[family];
    this.#due = now;
  }

  /** As of the last search that came to an end. */
  get mtu(): number | undefined {
    return this.#mtu;
  }

  /** When that was. */
  get ended(): number {
    return this.#ended;
  }

  /** Whether `take` is to be called often; otherwise once a second does. */
  get isSearching(): boolean {
    return this.#search !== undefined;
  }

  /** The size of the packet to send now, if one is to be sent. @param top the own link's MTU */
  take(now: number, top: number, beat: Beat): number | undefined {
    if (top !== this.#top) this.#begin(now, top);
    else if (this.#search === undefined && now >= this.#due) this.#begin(now, top);
    const search = this.#search;
    if (search === undefined) return undefined;
    if (search.at !== undefined && !this.#judge(search, search.at, now, beat)) return undefined;
    search.at = now;
    return this.#search === undefined ? undefined : search.size;
  }

  /** A packet of that size came back. */
  passed(size: number, now: number): void {
    const search = this.#search;
    if (search === undefined || size <= search.low) return;
    search.low = size;
    if (search.named && size === search.size) search.high = size + 1;
    this.#next(search, now);
  }

  /** A router said that a packet of `size` was too big, and that `mtu` is not. */
  named(size: number, mtu: number, now: number): void {
    const search = this.#search;
    if (search === undefined || size !== search.size || mtu >= size) return;
    search.high = size;
    if (mtu <= search.low) return this.#next(search, now);
    Object.assign(search, { size: mtu, lost: 0, at: undefined, named: true });
  }

  /** Somebody wants to know now. */
  ask(now: number): void {
    this.#due = Math.min(this.#due, now);
  }

  /** Another packet was too big: the way may have become narrower. */
  disturb(now: number): void {
    if (this.#search === undefined) this.#due = Math.min(this.#due, Math.max(now, this.#began + DISTURBED_MS));
  }

  /** The VTEP does not answer any more: what was found stays, and the search begins anew when it does. */
  abort(now: number): void {
    this.#search = undefined;
    this.#due = now;
  }

  #begin(now: number, top: number): void {
    this.#top = top;
    this.#began = now;
    this.#search = { low: Math.min(this.#least, top), high: top + 1, size: top, lost: 0, at: undefined, named: false };
  }

  /** Whether it is time for another packet. @param at when the last one was sent, to which no answer has come */
  #judge(search: Search, at: number, now: number, { answered, rtt }: Beat): boolean {
    if (now < at + Math.max(PATIENCE_MS, 2 * rtt)) return false;
    if (answered <= at) return now >= at + BEAT_MS;
    search.lost += 1;
    if (search.lost < TRIES) return true;
    search.high = search.size;
    this.#next(search, now);
    return true;
  }

  #next(search: Search, now: number): void {
    if (search.high - search.low <= 1) {
      this.#mtu = search.low;
      this.#search = undefined;
      this.#ended = now;
      this.#due = now + (this.#mtu === this.#top ? CONFIRM_MS : AGAIN_MS);
      return;
    }
    // What was found the last time is the best guess once the own link's size has failed.
    const last = this.#mtu;
    const isGuess = last !== undefined && last > search.low && last < search.high;
    const size = isGuess ? last : Math.floor((search.low + search.high) / 2);
    Object.assign(search, { size, lost: 0, at: undefined, named: false });
  }
}
