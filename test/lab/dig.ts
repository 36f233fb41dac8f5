import { fileURLToPath } from 'node:url';
import type { Namespace } from './namespace.ts';

export type DigAnswer = {
  /** NOERROR, NXDOMAIN, SERVFAIL …; empty where nobody answered */
  readonly status: string;
  readonly flags: readonly string[];
  /** the answers' data, in their order */
  readonly data: readonly string[];
  readonly text: string;
};

/** Asks 127.0.0.11 inside the namespace, once, and waits 3 seconds (`+time=…` says otherwise). */
export async function dig(namespace: Namespace, ...question: readonly string[]): Promise<DigAnswer> {
  const argv = ['dig', '@127.0.0.11', '+tries=1', '+time=3', '+nosearch', ...question];
  const { stdout } = await namespace.attempt(...argv);
  const [, section = ''] = /;; ANSWER SECTION:\n([^]*?)\n\n/.exec(stdout) ?? [];
  return {
    status: /status: (\w+)/.exec(stdout)?.[1] ?? '',
    flags: /flags: ([\w ]*);/.exec(stdout)?.[1]?.split(' ') ?? [],
    data: section === '' ? [] : section.split('\n').map((line) => line.split(/\s+/).at(-1) ?? ''),
    text: stdout,
  };
}

const ASKER = fileURLToPath(new URL('asker.ts', import.meta.url));

export type Asked = { readonly count: number; readonly failed: number; readonly slowestMs: number };

/** The command of asker.ts: `count` questions from one socket, `intervalMs` apart, for the names in turn. */
export function asker(count: number, intervalMs: number, ...names: readonly string[]): readonly string[] {
  const flags = ['--disable-warning=ExperimentalWarning'];
  return [process.execPath, ...flags, ASKER, String(count), String(intervalMs), ...names];
}
