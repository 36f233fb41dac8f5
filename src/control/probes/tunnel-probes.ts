import type { openTunnelSocket } from '../../host/tunnel-socket.ts';
import type { Pulse } from '../../peers/liveness/pulse.ts';
import { Pulses } from '../../peers/liveness/pulses.ts';
import type { Clock } from '../../service/clock.ts';
import { TunnelEchoes, type TunnelTarget } from './tunnel-echoes.ts';
import { Turn } from './turn.ts';

/** How often a VTEP is asked while pings say that it is there, and while nothing else does. */
const [CALM_MS, ALONE_MS] = [10_000, 1000];
/** Probes that are due within it go together. */
const TURN_MS = 50;
/** A socket that cannot be opened is tried again. */
const REOPEN_MS = 30_000;
/** Node cannot wait for such a socket: it is looked at soon after a request, and then more and more rarely. */
const LOOK_MS = 1;
const LOOKS_MS = 2000;
const SILENCE_MS = 1500;

export type TunnelProbesOptions = {
  readonly clock: Clock;
  readonly open: typeof openTunnelSocket;
  /** whether other probes of that VTEP are answered */
  readonly isCalm: (ip: string) => boolean;
  /** told of each VTEP that was asked, or has answered */
  readonly onBeat: (ip: string) => void;
};

/** Asks the peers' VTEPs through VXLAN itself, by the very way that frames take, whether they are reached. */
export class TunnelProbes {
  readonly #options: TunnelProbesOptions;
  readonly #echoes: TunnelEchoes;
  readonly #pulses: Pulses;
  readonly #turn: Turn;
  #targets: ReadonlyMap<string, TunnelTarget> = new Map();
  #ready = false;
  #look: NodeJS.Timeout | undefined;
  #lookMs = LOOK_MS;

  constructor(options: TunnelProbesOptions) {
    this.#options = options;
    this.#turn = new Turn(options.clock, () => this.#ask());
    this.#echoes = new TunnelEchoes(options.open);
    this.#pulses = new Pulses((ip) => (options.isCalm(ip) ? CALM_MS : ALONE_MS));
  }

  /** Whom to ask from now on, by the VTEP's address. */
  follow(targets: ReadonlyMap<string, TunnelTarget>): void {
    this.#targets = targets;
    this.#pulses.follow(new Set(targets.keys()), this.#now);
    if (targets.size === 0) this.stop();
    else this.#schedule();
  }

  /** Undefined where it is not asked, or nobody can be. */
  of(ip: string): Pulse | undefined {
    return this.#ready ? this.#pulses.of(ip) : undefined;
  }

  hurry(ip: string): void {
    this.#pulses.of(ip)?.hurry(this.#now);
    this.#schedule();
  }

  /** Asks now; returns a way to see whether an answer has come, or will not. */
  ask(ip: string): () => boolean {
    const asked = this.#now;
    this.#pulses.of(ip)?.ask(asked);
    this.#schedule();
    return () => {
      const pulse = this.of(ip);
      return pulse === undefined || (pulse.answered ?? -Infinity) > asked || this.#now > asked + SILENCE_MS;
    };
  }

  stop(): void {
    this.#turn.stop();
    clearTimeout(this.#look);
    this.#look = undefined;
    this.#ready = false;
    this.#echoes.close();
  }

  get #now(): number {
    return this.#options.clock.monotonic();
  }

  #schedule(): void {
    const { due } = this.#pulses;
    if (due !== undefined) this.#turn.within(Math.max(TURN_MS, due - this.#now));
  }

  #ask(): void {
    this.#ready = this.#echoes.ready();
    // Unheard is not unanswered.
    if (!this.#ready) return this.#turn.within(REOPEN_MS);
    // What is there already answers in time.
    this.#receive();
    const asked: string[] = [];
    this.#pulses.take(this.#now, (ip) => {
      asked.push(ip);
      const target = this.#targets.get(ip);
      return target === undefined ? -1 : this.#echoes.send(ip, target);
    });
    if (asked.length > 0) this.#lookIn(LOOK_MS);
    for (const ip of asked) this.#options.onBeat(ip);
    this.#schedule();
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#look);
    this.#lookMs = ms;
    this.#look = setTimeout(() => this.#lookAgain(), ms).unref();
  }

  #lookAgain(): void {
    this.#look = undefined;
    this.#receive();
    const waits = [...this.#targets.keys()].some((ip) => this.#pulses.of(ip)?.isWaiting);
    if (waits && this.#lookMs < LOOKS_MS) this.#lookIn(this.#lookMs * 2);
  }

  #receive(): void {
    for (const { ip, sequence, age } of this.#echoes.receive()) {
      this.#pulses.answer(ip, sequence, this.#now - age);
      this.#options.onBeat(ip);
    }
    this.#schedule();
  }
}
