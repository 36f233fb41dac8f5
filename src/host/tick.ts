const TICK_MS = 250;
const listeners = new Set<() => void>();
let timer: NodeJS.Timeout | undefined;

/**
 * Calls `listener` four times a second, all listeners in one turn: what an idle service costs is how often it wakes, and
 * two that wake it apart cost twice as much as two together. Returns the way to stop that.
 */
export function onTick(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => listeners.forEach((one) => one()), TICK_MS).unref();
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}
