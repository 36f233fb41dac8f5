import { fstatSync } from 'node:fs';
import { inspect } from 'node:util';
import { messageOf } from './errors.ts';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export const LOG_FORMATS = ['auto', 'text', 'journal', 'json'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = (typeof LOG_FORMATS)[number];

/** What belongs to a message: names and values, never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

export type LogOptions = {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly env?: NodeJS.ProcessEnv;
  /** takes one line, newline included; standard output when not given */
  readonly write?: (line: string) => void;
};

type Render = (level: LogLevel, message: string, fields: LogFields) => string;

/** The priorities of syslog (RFC 5424 section 6.2.1), which journald takes from a line's `<N>`. */
const PRIORITY: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

const RENDER: Readonly<Record<Exclude<LogFormat, 'auto'>, Render>> = {
  text: (level, message, fields) =>
    `${new Date().toISOString()} ${level.padEnd(5)} ${oneLine(message)}${pairs(fields)}`,
  journal: (level, message, fields) => `<${PRIORITY[level]}>${oneLine(message)}${pairs(fields)}`,
  json: (level, message, fields) =>
    JSON.stringify({ ...plain(fields), time: new Date().toISOString(), level, message }),
};

/** Makes the program's log: one line for each message of the level or a graver one. It never throws. */
export function createLog(options: LogOptions): Log {
  const render = RENDER[resolveFormat(options.format, options.env ?? process.env)];
  const write = options.write ?? toStandardOutput();
  const threshold = LOG_LEVELS.indexOf(options.level);
  const at = (level: LogLevel): Log[LogLevel] =>
    LOG_LEVELS.indexOf(level) > threshold
      ? () => undefined
      : (message, fields = {}) => write(`${render(level, message, fields)}\n`);
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

function resolveFormat(format: LogFormat, env: NodeJS.ProcessEnv): Exclude<LogFormat, 'auto'> {
  if (format !== 'auto') return format;
  return writesToJournal(env) ? 'journal' : 'text';
}

/**
 * JOURNAL_STREAM names the device and inode of the journal's socket. It is inherited by children whose output goes
 * elsewhere, so it counts only where standard output is that very socket (systemd.exec(5)).
 */
function writesToJournal(env: NodeJS.ProcessEnv): boolean {
  const stream = env['JOURNAL_STREAM'];
  if (!stream) return false;
  const { dev, ino } = fstatSync(1, { bigint: true });
  return stream === `${dev}:${ino}`;
}

function toStandardOutput(): (line: string) => void {
  // A log reader that went away must not stop the network: without a listener, EPIPE ends the process.
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => undefined);
  return (line) => void process.stdout.write(line);
}

/** Control characters escaped: what peers or files say must not forge lines or drive a terminal. */
function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function pairs(fields: LogFields): string {
  return Object.entries(plain(fields))
    .map(
      ([name, value]) =>
        ` ${oneLine(name)}=${oneLine(typeof value === 'string' ? quote(value) : JSON.stringify(value))}`,
    )
    .join('');
}

function quote(value: string): string {
  return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
}

function plain(fields: LogFields): Record<string, unknown> {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present.map(([name, value]) => [name, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return messageOf(value);
  try {
    const json = JSON.stringify(value) as string | undefined;
    return json === undefined ? inspect(value) : value;
  } catch {
    // a bigint or a circle
    return inspect(value, { breakLength: Infinity });
  }
}
