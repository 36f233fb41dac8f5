import { Pulse, type PulseState } from './pulse.ts';

/** One a second for each VTEP, and of all together no more than two hundred: beyond as many they come more rarely. */
const INTERVAL_MS = 1000;
const SPACING_MS = 5;

export type PulseChange = { readonly ip: string; readonly from: PulseState; readonly to: PulseState };

/** The pulses of all VTEPs that are probed, spread over time. Pure. */
export class Pulses {
  readonly #pulses = new Map<string, Pulse>();
  readonly #pace: (ip: string) => number;

  /** @param pace how often each that answers is to be asked at present, in milliseconds; absent: once a second */
  constructor(pace: (ip: string) => number = () => INTERVAL_MS) {
    this.#pace = pace;
  }

  intervalOf(ip: string): number {
    return Math.max(this.#pace(ip), this.#pulses.size * SPACING_MS);
  }

  get ips(): readonly string[] {
    return [...this.#pulses.keys()];
  }

  /** Exactly these from now on. New ones begin at once, one after the other. */
  follow(ips: ReadonlySet<string>, now: number): void {
    for (const ip of this.#pulses.keys()) if (!ips.has(ip)) this.#pulses.delete(ip);
    let due = now;
    for (const ip of ips) {
      if (this.#pulses.has(ip)) continue;
      this.#pulses.set(ip, new Pulse(due));
      due += SPACING_MS;
    }
  }

  of(ip: string): Pulse | undefined {
    return this.#pulses.get(ip);
  }

  /** When the next probe of all is due; undefined where nobody is probed. */
  get due(): number | undefined {
    let due: number | undefined;
    for (const pulse of this.#pulses.values()) due = Math.min(due ?? pulse.due, pulse.due);
    return due;
  }

  /** Whom to send a probe now. @param number gives each its sequence number */
  take(now: number, number: (ip: string) => number): readonly PulseChange[] {
    const changes: PulseChange[] = [];
    for (const [ip, pulse] of this.#pulses) {
      if (pulse.due <= now)
        changes.push(...this.#change(ip, pulse, () => pulse.probe(number(ip), now, this.intervalOf(ip))));
    }
    return changes;
  }

  answer(ip: string, sequence: number, now: number): readonly PulseChange[] {
    const pulse = this.#pulses.get(ip);
    return pulse === undefined ? [] : this.#change(ip, pulse, () => pulse.answer(sequence, now, this.intervalOf(ip)));
  }

  #change(ip: string, pulse: Pulse, act: () => unknown): readonly PulseChange[] {
    const from = pulse.state;
    act();
    return pulse.state === from ? [] : [{ ip, from, to: pulse.state }];
  }
}
