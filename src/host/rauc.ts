import { setTimeout as sleep } from 'node:timers/promises';
import { LinkspanError, messageOf } from '../service/errors.ts';
import { CommandError, run } from './run.ts';

const QUERY_MS = 60_000;
const INSTALL_MS = 3_600_000;
const TEXT_MAX = 200;
/** More than two minutes, where it does not answer at all. */
const TRIES = 5;
const PAUSE_MS = 3000;

export type RaucSlot = {
  /** the updater's name, `rootfs.0` */
  readonly name: string;
  /** the boot loader's */
  readonly bootname: string;
  /** null: nothing, or what was being written when the power went */
  readonly version: string | null;
};

export type RaucStatus = { readonly compatible: string; readonly booted: string; readonly slots: readonly RaucSlot[] };
export type RaucBundle = { readonly compatible: string; readonly version: string };

/** @throws LinkspanError `unavailable` */
export async function raucStatus(): Promise<RaucStatus> {
  try {
    return parseStatus(await askPatiently(['rauc', 'status', '--detailed', '--output-format=json']));
  } catch (error) {
    const said = error instanceof CommandError ? lastLine(error.stderr) : undefined;
    throw failed(
      'unavailable',
      'the updater',
      said ?? messageOf(error),
      'it is asked again; see its log, rauc.service',
      error,
    );
  }
}

/** What a bundle says of itself. @throws LinkspanError `wrong_signature` or `unreadable`, `install_failed` otherwise */
export async function raucInfo(file: string): Promise<RaucBundle> {
  try {
    return parseInfo(await run(['rauc', 'info', '--output-format=json', file], '', { timeoutMs: QUERY_MS }));
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode === null) throw error;
    throw refusal(file, error.stderr);
  }
}

/** Writes a bundle into the slot that does not run. @throws LinkspanError `install_failed` */
export async function raucInstall(file: string, onProgress: (percent: number) => void): Promise<void> {
  let last = '';
  const onLine = (line: string): void => {
    const percent = progressIn(line);
    if (percent !== undefined) onProgress(percent);
    last = lastErrorIn(line) ?? last;
  };
  try {
    await run(['rauc', 'install', file], '', { timeoutMs: INSTALL_MS, onLine });
  } catch (error) {
    const reason = last === '' ? messageOf(error) : last;
    throw failed('install_failed', file, reason, 'it is tried again where a document asks for it', error);
  }
}

/** Has the boot loader start that slot first. */
export async function raucActivate(name: string): Promise<void> {
  await askPatiently(['rauc', 'status', 'mark-active', name]);
}

/** While the gateway starts, the updater takes longer than its own client waits; and it does one thing at a time. */
async function askPatiently(argv: readonly string[], tries = TRIES): Promise<string> {
  try {
    return await run(argv, '', { timeoutMs: QUERY_MS });
  } catch (error) {
    if (tries <= 1 || !(error instanceof CommandError) || !isTransient(error.stderr)) throw error;
    await sleep(PAUSE_MS);
    return askPatiently(argv, tries - 1);
  }
}

export function isTransient(stderr: string): boolean {
  return /Timeout was reached|already processing a different method/.test(stderr);
}

/** @throws LinkspanError where it is not what `rauc status` prints */
export function parseStatus(text: string): RaucStatus {
  const { compatible, booted, slots } = fieldsIn(parsed(text));
  return {
    compatible: textIn(compatible, 'compatible'),
    booted: textIn(booted, 'booted'),
    slots: listIn(slots).flatMap((entry) =>
      Object.entries(fieldsIn(entry)).flatMap(([name, one]) => slotIn(name, one)),
    ),
  };
}

/** Slots that the boot loader does not start, as a boot loader's own, are none of ours. */
function slotIn(name: string, value: unknown): readonly RaucSlot[] {
  const { bootname, slot_status: status } = fieldsIn(value);
  if (typeof bootname !== 'string' || bootname === '') return [];
  const { bundle, status: state } = fieldsIn(status);
  const { version } = fieldsIn(bundle);
  return [{ name, bootname, version: state === 'ok' && typeof version === 'string' ? shortened(version) : null }];
}

/** @throws LinkspanError where it is not what `rauc info` prints */
export function parseInfo(text: string): RaucBundle {
  const { compatible, version } = fieldsIn(parsed(text));
  return { compatible: textIn(compatible, 'compatible'), version: textIn(version, 'version') };
}

/** ` 40% Checking slot rootfs.1` */
export function progressIn(line: string): number | undefined {
  const percent = Number(/^\s{0,2}(\d{1,3})% /.exec(line)?.[1] ?? Number.NaN);
  return percent <= 100 ? percent : undefined;
}

export function lastErrorIn(line: string): string | undefined {
  return /^LastError: (.+)$/.exec(line)?.[1]?.slice(0, TEXT_MAX * 2);
}

/** What `rauc info` has against a bundle: everything it says of one is so at the next try, too. */
export function refusal(file: string, stderr: string): LinkspanError {
  const reason = lastLine(stderr) ?? 'the updater refuses it and does not say why';
  if (!reason.startsWith('Invalid bundle format') && /signature|CMS|X509/i.test(reason)) {
    return failed('wrong_signature', file, reason, 'take a bundle that is signed for this gateway');
  }
  return failed(
    'unreadable',
    file,
    reason,
    'take a whole bundle, in a place that the service sees (not /tmp or /root)',
  );
}

/** What went wrong, below what was done. */
function lastLine(stderr: string): string | undefined {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !/^\S*rauc-Message: /.test(line));
  return lines.length === 0 ? undefined : shortened(lines.at(-1) ?? '');
}

function failed(code: string, object: string, reason: string, remedy: string, cause?: unknown): LinkspanError {
  return new LinkspanError({ code, object, reason, remedy, cause });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw failed('unreadable', 'rauc', 'its output is not JSON', 'check which rauc is installed', error);
  }
}

function fieldsIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textIn(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return shortened(value);
  throw failed('unreadable', 'rauc', `its output has no ${name}`, 'check its configuration and the bundle');
}

function shortened(text: string): string {
  return text.trim().slice(0, TEXT_MAX);
}
