/** What the probes of one VTEP say: nothing yet, all answered, some missed lately, none answered for seconds. */
export type PulseState = 'unprobed' | 'up' | 'suspect' | 'down';

/** Without an answer for so long a probe counts as missed, and on a way that takes half of it or more, twice the way. */
const PATIENCE_MS = 1000;
/**
 * After a missed one they follow each other faster, so that a VTEP that is dead is known as dead three seconds after its
 * last answer: a second until the next probe, one of patience, and four further probes in the third.
 */
const ALARM_MS = 250;
const MISSED_MAX = 5;
/** One that has never answered may be behind a filter for good. */
const UNPROBED_MS = 10_000;
/** Late answers count as well, to as many probes. */
const REMEMBERED = 8;
/** The weight of a new round trip in the mean (RFC 6298 section 2). */
const WEIGHT = 1 / 8;

/**
 * One VTEP's probes, and what their answers say. Pure: `now` is monotonic milliseconds, and whoever owns it calls `probe`
 * when `due` has come, and sends one.
 */
export class Pulse {
  #due: number;
  #state: PulseState = 'unprobed';
  #sent: readonly { readonly sequence: number; readonly at: number }[] = [];
  /** the last one waits for its answer */
  #waiting = false;
  #missed = 0;
  #alarmed = false;
  #rtt: number | undefined;
  #answered: number | undefined;

  constructor(due: number) {
    this.#due = due;
  }

  get due(): number {
    return this.#due;
  }

  get state(): PulseState {
    return this.#state;
  }

  /** Whether the last probe may still be answered. */
  get isWaiting(): boolean {
    return this.#waiting;
  }

  /** Probes in a row that brought nothing. */
  get missed(): number {
    return this.#missed;
  }

  /** The mean round trip in milliseconds. */
  get rtt(): number | undefined {
    return this.#rtt;
  }

  /** When the last answer came. */
  get answered(): number | undefined {
    return this.#answered;
  }

  /** To be called when a probe is sent, and only then: the one before has had its time. */
  probe(sequence: number, now: number, interval: number): void {
    if (this.#waiting) this.#miss();
    this.#sent = [...this.#sent.slice(1 - REMEMBERED), { sequence, at: now }];
    this.#waiting = true;
    this.#due = now + this.#patience(interval);
  }

  /** Whether that is an answer to a probe of ours, to which none came before. */
  answer(sequence: number, now: number, interval: number): boolean {
    const probe = this.#sent.find((one) => one.sequence === sequence);
    if (probe === undefined) return false;
    this.#sent = this.#sent.filter((one) => one !== probe);
    const trip = now - probe.at;
    this.#rtt = this.#rtt === undefined ? trip : this.#rtt + (trip - this.#rtt) * WEIGHT;
    this.#answered = now;
    this.#state = 'up';
    this.#missed = 0;
    this.#alarmed = false;
    this.#waiting = false;
    this.#due = Math.max(now, probe.at + interval);
    return true;
  }

  /** Its gateway is said to be gone: whether that is so is to be known soon. */
  hurry(now: number): void {
    if (this.#state === 'down' || this.#state === 'unprobed') return;
    this.#alarmed = true;
    // A probe that is on its way has its time as before, but no more than the hurried ones have.
    this.#due = Math.min(this.#due, this.#waiting ? now + this.#alarmStep() : now);
  }

  /** Somebody wants to know now. */
  ask(now: number): void {
    if (!this.#waiting || this.#state === 'unprobed' || this.#state === 'down') this.#due = Math.min(this.#due, now);
  }

  #miss(): void {
    this.#missed += 1;
    if (this.#state === 'up' || this.#state === 'suspect') {
      this.#alarmed = true;
      this.#state = this.#missed < MISSED_MAX ? 'suspect' : 'down';
    }
  }

  #patience(interval: number): number {
    if (this.#state === 'unprobed') return Math.max(this.#missed < MISSED_MAX ? PATIENCE_MS : UNPROBED_MS, interval);
    if (this.#state === 'down') return Math.max(PATIENCE_MS, interval);
    return this.#alarmed ? this.#alarmStep() : Math.max(PATIENCE_MS, 2 * (this.#rtt ?? 0));
  }

  #alarmStep(): number {
    return Math.max(ALARM_MS, (this.#rtt ?? 0) / 2);
  }
}
