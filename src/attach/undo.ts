/** What has been done so far and how to take it back, newest first. */
export class UndoStack {
  readonly #undos: { readonly what: string; readonly undo: () => Promise<void> }[] = [];

  push(what: string, undo: () => Promise<void>): void {
    this.#undos.push({ what, undo });
  }

  /** Takes everything back. An undo that fails does not stop the others; the names of those that failed return. */
  async rollBack(): Promise<readonly string[]> {
    const failed: string[] = [];
    for (const { what, undo } of this.#undos.splice(0).toReversed()) await undo().catch(() => failed.push(what));
    return failed;
  }
}
