import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '../model/problem.ts';
import type { Clock } from '../service/clock.ts';
import { messageOf } from '../service/errors.ts';
import type { Log } from '../service/log.ts';
import { Backoff } from './backoff.ts';
import type { CycleInput, CycleView } from './cycle.ts';
import { look } from './cycle.ts';
import type { FirewallMemory, Step } from './plan.ts';
import { execute, type StepContext } from './steps.ts';

const SETTLE_MS = 50;
/** A host in turmoil (containers coming and going) is looked at once a second, not at each of its events. */
const HOST_SPACING_MS = 1000;
const RESYNC_MS = 60_000;
const WAITING_MS = 5000;
const PASSES = 6;
/** in one cycle, whatever they find */
const PASSES_MAX = 12;

export type LoopOptions = {
  readonly input: () => CycleInput;
  readonly endpoints: StepContext['endpoints'];
  readonly releaseLease: StepContext['releaseLease'];
  readonly clock: Clock;
  readonly log: Log;
  /** after each cycle, with the kernel as it then was */
  readonly onCycle: (view: CycleView) => void;
};

/**
 * Brings the kernel to what is desired, and keeps it there.
 *
 * INVARIANTS
 * - One cycle at a time; a wake during a cycle makes exactly one more.
 * - A cycle that is aborted (newer input, stop) stops between two steps; the next begins with a fresh look.
 * - What is reported as done was seen in the kernel after the last step, not assumed from a step's success.
 * - A failing object backs off alone; only steps of other objects run meanwhile.
 * - Nothing is taken down because something could not be read: a failed look ends the cycle.
 */
export class ReconcileLoop {
  readonly #options: LoopOptions;
  readonly #backoff: Backoff;
  #running: Promise<void> | undefined;
  #again = false;
  #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #hostChanged = false;
  #stopped = false;
  #firewall: FirewallMemory = {};
  #lastGood: number | undefined;
  readonly #waiters: (() => void)[] = [];

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock);
  }

  /**
   * Something changed: the `input` itself (what runs is out of date, and failures deserve a new try), the `peers`, or
   * the `host`.
   */
  wake(what: 'input' | 'peers' | 'host'): void {
    this.#options.log.debug(`wake: ${what}`);
    if (this.#stopped) return;
    if (what === 'input') {
      this.#backoff.reset();
      this.#abort.abort();
    }
    if (what !== 'host') this.#again = true;
    if (this.#running !== undefined) this.#hostChanged ||= what === 'host';
    else this.#soonest(what === 'host' ? HOST_SPACING_MS - (this.age ?? HOST_SPACING_MS) : SETTLE_MS);
  }

  /** Resolves after a whole cycle that began after this call; one that newer input interrupted does not count. */
  async settled(): Promise<void> {
    if (this.#stopped) return;
    const done = new Promise<void>((resolve) => this.#waiters.push(resolve));
    // What failed deserves a new try. The running cycle goes on: a stream of calls that ended each would wait for ever.
    this.#backoff.reset();
    this.wake('peers');
    await done;
  }

  /** Milliseconds since the last cycle that ended without a failed look, or undefined before the first. */
  get age(): number | undefined {
    return this.#lastGood === undefined ? undefined : this.#options.clock.monotonic() - this.#lastGood;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#abort.abort();
    await this.#running;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** Never pushed back by a further wake: a steady stream of them must not keep the cycle from starting. */
  #soonest(delay: number): void {
    const due = this.#options.clock.monotonic() + Math.max(SETTLE_MS, delay);
    if (due < this.#due) this.#schedule(Math.max(SETTLE_MS, delay));
  }

  #schedule(delay: number): void {
    clearTimeout(this.#timer);
    this.#due = this.#options.clock.monotonic() + delay;
    this.#timer = setTimeout(() => {
      this.#due = Number.POSITIVE_INFINITY;
      this.#running = this.#cycle().finally(() => {
        this.#running = undefined;
        if (this.#again) this.wake('peers');
        else if (this.#hostChanged) this.wake('host');
      });
    }, delay);
  }

  async #cycle(): Promise<void> {
    this.#again = false;
    this.#hostChanged = false;
    this.#abort = new AbortController();
    const waiters = this.#waiters.splice(0);
    let delay = RESYNC_MS;
    try {
      const view = await this.#passes(this.#abort.signal);
      this.#lastGood = this.#options.clock.monotonic();
      delay = Math.min(delay, this.#backoff.next() ?? delay, view.problems.size > 0 ? WAITING_MS : delay);
      this.#options.onCycle(view);
    } catch (error) {
      delay = WAITING_MS;
      this.#options.log.error(`this cycle failed and is tried again in ${delay / 1000} s: ${messageOf(error)}`);
    }
    if (this.#abort.signal.aborted && !this.#stopped) this.#waiters.unshift(...waiters);
    else for (const resolve of waiters) resolve();
    if (!this.#stopped) this.#schedule(delay);
  }

  /** Looks and acts until a look finds nothing to do; a parent made anew needs a second pass for its children. */
  async #passes(signal: AbortSignal): Promise<CycleView> {
    const done: Step[] = [];
    for (let pass = 1; ; pass += 1) {
      const view = await look(this.#options.input(), this.#firewall);
      this.#backoff.retain(new Set(view.steps.map((step) => step.object)));
      const isDue = (step: Step): boolean => this.#backoff.isDue(step.object);
      for (const step of view.steps.filter((one) => isDue(one) && isUnsettled(one, done))) this.#unsettled(step);
      const due = view.steps.filter((one) => isDue(one));
      // Where others go on wishing for more, those who wait for this cycle have what they wished for; the rest is the next's.
      this.#again ||= due.length > 0 && pass > PASSES_MAX;
      if (due.length === 0 || pass > PASSES_MAX || signal.aborted) return this.#judged(view, due.length === 0);
      for (const step of due) await this.#step(step, signal);
      done.push(...due);
    }
  }

  #unsettled(step: Step): void {
    const what = `${nameOf(step)} was done ${PASSES} times and the kernel still differs`;
    this.#backoff.failed(step.object, `${what}; something else on this host changes it`);
  }

  async #step(step: Step, signal: AbortSignal): Promise<void> {
    if (signal.aborted || !this.#backoff.isDue(step.object)) return;
    const { log, endpoints } = this.#options;
    const what = nameOf(step);
    try {
      await execute(step, {
        endpoints,
        datapathSocket: this.#options.input().datapath.socket,
        rememberFirewall: (table, applied) => {
          const { [table]: _, ...others } = this.#firewall;
          this.#firewall = applied === undefined ? others : { ...others, [table]: applied };
        },
        releaseLease: this.#options.releaseLease,
      });
      log.info(`${step.object}: ${what}`);
    } catch (error) {
      this.#backoff.failed(step.object, messageOf(error));
      log.warn(`${step.object}: ${what} failed: ${messageOf(error)}`);
    }
  }

  #judged(view: CycleView, complete: boolean): CycleView {
    const failed = [...this.#backoff.problems()].map(
      ([object, message]) => [object, failure(object, message, view.problems.get(object))] as const,
    );
    return { ...view, complete, problems: new Map([...view.problems, ...failed]) };
  }
}

/** Why it failed comes first, then what else the plan says of the object: what that means for it, say. */
function failure(object: string, message: string, planned: Problem | undefined): Problem {
  const more = planned === undefined ? '' : `; ${planned.message}`;
  return { path: pathOf(object), code: 'failed', message: `${object}: ${message}${more}` };
}

function nameOf(step: Step): string {
  return 'reason' in step ? `${step.kind} (${step.reason})` : step.kind;
}

/**
 * A step that succeeds and is wanted again by the next look would else be done for ever, at the processor's full speed.
 * One of the same object that does something else each time is not that: others may go on wishing for more.
 */
function isUnsettled(step: Step, done: readonly Step[]): boolean {
  const alike = done.filter(({ kind, object }) => kind === step.kind && object === step.object);
  return alike.length >= PASSES_MAX || alike.filter((other) => isDeepStrictEqual(other, step)).length >= PASSES;
}

/** Where an object stands in the document; empty for what no document names. */
function pathOf(object: string): string {
  const [kind, name = '', network = ''] = object.split('/');
  if (kind === 'network') return `/spec/networks/${name}`;
  return kind === 'endpoint' ? `/spec/workloads/${name}/networks/${network}` : '';
}
