import { spawn } from 'node:child_process';

export type Order = {
  readonly argv: readonly string[];
  /** on top of LAB_ENVIRONMENT */
  readonly environment?: Record<string, string>;
  /** written to its standard input; without it that is /dev/null */
  readonly input?: string;
};

/** A program that was started. */
export type Child = {
  readonly pid: number;
  readonly running: () => boolean;
  /** resolves once it has ended and all its output has come, with its exit code, or the signal that ended it */
  readonly exited: Promise<number | string>;
  readonly kill: (signal: NodeJS.Signals) => void;
};

export type Output = (stream: 'stdout' | 'stderr', chunk: Buffer) => unknown;

/** Starts a program without a shell; rejects where it cannot be started. */
export type Spawn = (order: Order, output: Output) => Promise<Child>;

/** The environment of everything the lab starts: messages are parsed, so they must not be translated. */
export const LAB_ENVIRONMENT = { ...process.env, LC_ALL: 'C' };

/** The way to start programs on the machine that this code runs on. */
export const spawnHere: Spawn = async ({ argv, environment, input }, output) => {
  const [program = '', ...rest] = argv;
  const env = { ...LAB_ENVIRONMENT, ...environment };
  const child = spawn(program, rest, { env, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
  child.stdout?.on('data', (chunk: Buffer) => output('stdout', chunk));
  child.stderr?.on('data', (chunk: Buffer) => output('stderr', chunk));
  const exited = new Promise<number | string>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal ?? -1)),
  );
  // A command that does not read its input closes the pipe first; its exit code tells what matters.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Error(`${argv.join(' ')}: ${error.message}`)));
  });
  return {
    pid: child.pid ?? -1,
    running: () => child.exitCode === null && child.signalCode === null,
    exited,
    kill: (signal) => void child.kill(signal),
  };
};
