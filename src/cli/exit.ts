/** The exit codes of the contract; scripts rely on them. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notRunning: 3, notFound: 4, refused: 5 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a verb with a message for people and, where the service gave one, its problem document for `--json`. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  readonly document: unknown;

  constructor(exitCode: ExitCode, message: string, document?: unknown) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.document = document;
  }
}

export function usageError(message: string): CliError {
  return new CliError(EXIT.usage, message);
}
