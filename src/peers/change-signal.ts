/** Tells listeners once after each burst of changes. */
export class ChangeSignal {
  readonly #listeners = new Set<() => void>();
  #pending = false;

  /** Returns the way to stop that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  changed(): void {
    if (this.#pending) return;
    this.#pending = true;
    setImmediate(() => {
      this.#pending = false;
      for (const listener of this.#listeners) listener();
    });
  }
}
