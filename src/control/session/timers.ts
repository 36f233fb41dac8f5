/** Timers by name, each of which is set at most once at a time. */
export class Timers {
  readonly #running = new Map<string, NodeJS.Timeout>();
  #stopped = false;

  /** Calls `act` after that time; one of the name that runs is replaced. */
  set(name: string, ms: number, act: () => void): void {
    if (this.#stopped) return;
    clearTimeout(this.#running.get(name));
    const fire = (): void => {
      this.#running.delete(name);
      act();
    };
    this.#running.set(name, setTimeout(fire, ms));
  }

  /** The same, but one of the name that runs is kept. */
  setUnlessRunning(name: string, ms: number, act: () => void): void {
    if (!this.isRunning(name)) this.set(name, ms, act);
  }

  isRunning(name: string): boolean {
    return this.#running.has(name);
  }

  /** Ends all; none can be set any more. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#running.values()) clearTimeout(timer);
    this.#running.clear();
  }
}
