import { spawn } from 'node:child_process';
import { LinkspanError } from '../service/errors.ts';

const TIMEOUT_MS = 10_000;

/** A host command that failed: `stderr` is the command's own words. */
export class CommandError extends LinkspanError {
  readonly exitCode: number | null;
  readonly stderr: string;
  /** of a batch: which line failed, from 1; all before it were done. Undefined where that is not known. */
  readonly line: number | undefined;

  constructor(argv: readonly string[], exitCode: number | null, stderr: string, remedy: string, line?: number) {
    const reason =
      stderr.trim().replaceAll('\n', ', ') || `ended with code ${exitCode ?? 'none (killed or timed out)'}`;
    super({ code: 'command_failed', object: argv.slice(0, 6).join(' '), reason, remedy });
    this.exitCode = exitCode;
    this.stderr = stderr;
    this.line = line;
  }
}

export type RunOptions = {
  /** `C.UTF-8` for a command that must write letters beyond ASCII */
  readonly locale?: 'C' | 'C.UTF-8';
  /** default: 10 s */
  readonly timeoutMs?: number;
  /** told each line of standard output as it comes */
  readonly onLine?: (line: string) => void;
};

/**
 * Runs one host command by argument list (never a shell) and returns its standard output. The locale is fixed so that
 * messages can be matched. A command that neither ends nor fails in time is killed.
 * @throws CommandError
 */
export function run(argv: readonly string[], input = '', options: RunOptions = {}): Promise<string> {
  const { locale = 'C', timeoutMs = TIMEOUT_MS, onLine } = options;
  const [command = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, LC_ALL: locale } });
    // Node's own time limit goes on where the command could not be started.
    const limit = setTimeout(() => child.kill(), timeoutMs);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    // Loaded where it is wanted, which is seldom.
    if (onLine) process.getBuiltinModule('node:readline').createInterface({ input: child.stdout }).on('line', onLine);
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    // A command that ends before it has read its input (a bad batch line) breaks the pipe; its exit code tells why.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('error', (cause) => {
      clearTimeout(limit);
      reject(new CommandError(argv, null, cause.message, `install ${command}`));
    });
    child.on('close', (code) => {
      clearTimeout(limit);
      const stderr = Buffer.concat(err).toString();
      if (code === 0) resolve(Buffer.concat(out).toString());
      else reject(new CommandError(argv, code, stderr, 'the next cycle tries again'));
    });
  });
}

/** The argument list that runs a command inside the network namespace at `path` (own namespace when undefined). */
export function inNamespace(path: string | undefined, argv: readonly string[]): readonly string[] {
  return path === undefined ? argv : ['nsenter', `--net=${path}`, '--', ...argv];
}

/** Runs lines of `ip -batch`, which stops at the first failing line. */
export async function ipBatch(lines: readonly string[], namespace?: string): Promise<void> {
  if (lines.length === 0) return;
  await run(inNamespace(namespace, ['ip', '-batch', '-']), `${lines.join('\n')}\n`).catch((error: unknown) => {
    throw error instanceof CommandError ? nameLine(error, lines) : error;
  });
}

const FAILED_LINE = /\s*Command failed -:(\d+)\s*$/;

/** `ip -batch` tells the failing line by its number only. */
function nameLine(error: CommandError, lines: readonly string[]): CommandError {
  const number = Number(FAILED_LINE.exec(error.stderr)?.[1] ?? 0);
  const line = lines[number - 1];
  if (line === undefined) return error;
  return new CommandError(['ip', line], error.exitCode, error.stderr.replace(FAILED_LINE, ''), error.remedy, number);
}
