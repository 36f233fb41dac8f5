/** How many may be under way at once, of all and of each owner. */
export class Limit {
  readonly #max: number;
  readonly #maxEach: number;
  readonly #each = new Map<string, number>();
  #all = 0;

  constructor(max: number, maxEach: number) {
    this.#max = max;
    this.#maxEach = maxEach;
  }

  /** Whether the owner may have one more; then `leave` must follow. */
  enter(owner: string): boolean {
    const held = this.#each.get(owner) ?? 0;
    if (this.#all >= this.#max || held >= this.#maxEach) return false;
    this.#all += 1;
    this.#each.set(owner, held + 1);
    return true;
  }

  leave(owner: string): void {
    const held = (this.#each.get(owner) ?? 1) - 1;
    this.#all -= 1;
    if (held === 0) this.#each.delete(owner);
    else this.#each.set(owner, held);
  }
}
