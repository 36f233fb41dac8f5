import { execFile } from 'node:child_process';

export type RunResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  /** written to the command's standard input */
  readonly input?: string;
  /** resolve with the exit code instead of throwing */
  readonly allowFailure?: boolean;
  /** milliseconds until the command is killed; default 60 000 */
  readonly timeoutMs?: number;
};

/** The environment of everything the lab starts: messages are parsed, so they must not be translated. */
export const LAB_ENVIRONMENT = { ...process.env, LC_ALL: 'C' };

/**
 * Runs a command without a shell. Throws an error that shows the command, its exit code and what it said, unless
 * `allowFailure`; a command that cannot be started, or is killed, throws in any case.
 */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = '', ...rest] = argv;
  const settings = { env: LAB_ENVIRONMENT, maxBuffer: 64 << 20, timeout: options.timeoutMs ?? 60_000 };
  return new Promise((resolve, reject) => {
    const child = execFile(program, rest, settings, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (typeof code === 'number' && (code === 0 || options.allowFailure)) return resolve({ code, stdout, stderr });
      const why = typeof code === 'number' ? `exit ${code}` : (error?.message.split('\n')[0] ?? 'not started');
      const said = `${stderr.trim()}\n${stdout.trim().slice(0, 2000)}`.trim();
      reject(new Error(`${argv.join(' ')}: ${why}${error?.killed ? ' (killed after its time limit)' : ''}\n${said}`));
    });
    // A command that does not read its input closes the pipe first; its exit code tells what matters.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}
