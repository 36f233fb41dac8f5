import { HOST, type Machine } from './machine.ts';

export type RunResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  /** the machine to run it on; default: this one */
  readonly on?: Machine;
  /** written to the command's standard input */
  readonly input?: string;
  /** resolve with the exit code instead of throwing */
  readonly allowFailure?: boolean;
  /** milliseconds until the command is killed; default 60 000 */
  readonly timeoutMs?: number;
};

/**
 * Runs a command without a shell. Throws an error that shows the command, its exit code and what it said, unless
 * `allowFailure`; a command that cannot be started, or is killed, throws in any case.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { on = HOST, input = '', allowFailure = false, timeoutMs = 60_000 } = options;
  const said = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const child = await on.spawn({ argv, input }, (stream, chunk) => said[stream].push(chunk));
  const limit = { passed: false };
  const timer = setTimeout(() => {
    limit.passed = true;
    child.kill('SIGTERM');
  }, timeoutMs);
  const code = await child.exited;
  clearTimeout(timer);
  const [stdout, stderr] = [Buffer.concat(said.stdout).toString(), Buffer.concat(said.stderr).toString()];
  if (typeof code === 'number' && (code === 0 || allowFailure)) return { code, stdout, stderr };
  const why = typeof code === 'number' ? `exit ${code}` : `ended by ${code}`;
  const words = `${stderr.trim()}\n${stdout.trim().slice(0, 2000)}`.trim();
  throw new Error(`${argv.join(' ')}: ${why}${limit.passed ? ' (killed after its time limit)' : ''}\n${words}`);
}
