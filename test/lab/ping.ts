import type { Lab } from './lab.ts';
import type { Place } from './namespace.ts';
import type { LabProcess } from './process.ts';

export type PingResult = {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  /** the longest time between two answers, in milliseconds */
  readonly longestGapMs: number;
};

/** `at`: when it came, in milliseconds since 1970. */
type Answer = { readonly at: number; readonly sequence: number };

const ANSWER = /^\[(\d+\.\d+)\].*icmp_seq=(\d+) .*time=/gm;
// With duplicates or errors the words between differ, the first number does not.
const SENT = /^(\d+) packets transmitted/m;

const answersIn = (text: string): readonly Answer[] =>
  [...text.matchAll(ANSWER)].map((match) => ({ at: Number(match[1]) * 1000, sequence: Number(match[2]) }));

/** What a stopped `ping -D` said. */
export function parsePing(text: string): PingResult {
  const answers = answersIn(text);
  const seen = new Set(answers.map((answer) => answer.sequence));
  const transmitted = Number(SENT.exec(text)?.[1] ?? 0);
  // The last request may have been on its way when ping was stopped: that is no loss.
  const sent = !seen.has(transmitted) && seen.has(transmitted - 1) ? transmitted - 1 : transmitted;
  const gaps = answers.map((answer, index) => answer.at - (answers[index - 1] ?? answer).at);
  return {
    sent,
    received: seen.size,
    lost: sent - seen.size,
    longestGapMs: Math.round(gaps.reduce((a, b) => Math.max(a, b), 0)),
  };
}

/** A steady stream of pings from a namespace, to tell what an event in between cost. */
export class PingStream {
  readonly #process: LabProcess;

  private constructor(process: LabProcess) {
    this.#process = process;
  }

  /** Starts pinging every `intervalMs` (default 10). */
  static async start(lab: Lab, from: Place, address: string, intervalMs = 10): Promise<PingStream> {
    const argv = ['ping', '-n', '-D', '-i', String(intervalMs / 1000), '-W', '1', address];
    return new PingStream(await lab.process(from, argv));
  }

  /** When the first answer came, in milliseconds since 1970; undefined while there is none. */
  firstAnswer(): number | undefined {
    return answersIn(this.#process.log())[0]?.at;
  }

  /** Stops it (ping sums up on SIGINT) and counts. */
  async stop(): Promise<PingResult> {
    this.#process.signal('SIGINT');
    await this.#process.exited;
    return parsePing(this.#process.log());
  }
}
