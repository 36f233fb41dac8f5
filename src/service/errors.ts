/** An error whose reader can act: what object failed, why, and what to do about it. */
export class LinkspanError extends Error {
  readonly code: string;
  /** the object concerned, e.g. `network/line1` or a file's path */
  readonly object: string;
  readonly remedy: string;

  constructor(details: { code: string; object: string; reason: string; remedy: string; cause?: unknown }) {
    super(`${details.object}: ${details.reason}; ${details.remedy}`, { cause: details.cause });
    this.name = 'LinkspanError';
    this.code = details.code;
    this.object = details.object;
    this.remedy = details.remedy;
  }
}

/** Throws, where an expression is wanted: `found ?? raise(missing())`. */
export function raise(error: Error): never {
  throw error;
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
