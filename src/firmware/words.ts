import type { FirmwareError, FirmwareErrorCode } from '../model/firmware.ts';
import { LinkspanError, messageOf } from '../service/errors.ts';
import type { Attempt, Place, Verdict } from './memory.ts';
import type { Bundle } from './ports.ts';

/** What is not tried again by itself: another try would come to the same. */
const REFUSALS: ReadonlySet<FirmwareErrorCode> = new Set([
  'wrong_signature',
  'wrong_board',
  'wrong_version',
  'older_version',
  'unreadable',
  'rolled_back',
  'nothing_installed',
  'busy',
]);

/** What ends a job with firmware, in the form in which it is told. */
export class FirmwareFailure extends Error {
  readonly error: FirmwareError;

  constructor(error: FirmwareError) {
    super(error.message);
    this.error = error;
  }
}

export function isRefusal({ code }: FirmwareError): boolean {
  return REFUSALS.has(code);
}

/** Whatever was thrown, as it is told; `otherwise` where it says no code of firmware's. */
export function errorOf(thrown: unknown, otherwise: FirmwareErrorCode): FirmwareError {
  if (thrown instanceof FirmwareFailure) return thrown.error;
  const code = thrown instanceof LinkspanError ? CODES.find((one) => one === thrown.code) : undefined;
  return { code: code ?? otherwise, message: messageOf(thrown) };
}

const CODES = [
  'wrong_signature',
  'unreadable',
  'download_failed',
  'no_space',
  'install_failed',
  'unavailable',
] as const;

export function older(version: string, running: Place): FirmwareError {
  const remedy = 'ask for a newer one; what is older is not gone back to';
  return {
    code: 'older_version',
    message: `firmware ${version} is older than ${running.version}, which runs; ${remedy}`,
  };
}

export function wrongBoard({ compatible }: Bundle, board: string): FirmwareError {
  const message = `the bundle is for ${compatible} and this gateway is a ${board}; take the bundle for this board`;
  return { code: 'wrong_board', message };
}

export function wrongVersion({ version }: Bundle, wanted: string): FirmwareError {
  const message = `the bundle holds version ${version}, not ${wanted}; correct the url or the version of the document`;
  return { code: 'wrong_version', message };
}

export function rolledBack({ to, from, reason }: Attempt): FirmwareError {
  const why = reason === null || reason === '' ? 'it did not come up, or not to its end' : reason;
  const remedy = 'it is not tried again by itself: ask for another version, or install it again by hand';
  return { code: 'unhealthy', message: `firmware ${to.version} was rolled back to ${from.version}: ${why}; ${remedy}` };
}

export function triedBefore({ to }: Attempt): FirmwareError {
  const message = `firmware ${to.version} was rolled back before; take another version, or say --again`;
  return { code: 'rolled_back', message };
}

export function nothingInstalled(): FirmwareError {
  const message = 'no newer firmware is installed; linkspan firmware install FILE installs one';
  return { code: 'nothing_installed', message };
}

export function otherInstalled(version: string, installed: string): FirmwareError {
  const message = `firmware ${installed} is installed, not ${version}; name that one, or none`;
  return { code: 'nothing_installed', message };
}

export function busy(state: string): FirmwareError {
  return { code: 'busy', message: `the firmware is ${state}; wait for its end, linkspan firmware status shows it` };
}

export function onTrial(): FirmwareError {
  const message = 'a document is on trial, which a restart would take back; confirm it first, or wait for its end';
  return { code: 'busy', message };
}

export function notWritten(version: string): FirmwareError {
  const message = `the updater ended well, and version ${version} is not in the other slot; see the log of rauc.service`;
  return { code: 'install_failed', message };
}

export function unsaved(thrown: unknown): string {
  return `what became of the firmware cannot be written: ${messageOf(thrown)}; make room on the disk`;
}

/** What the judge of a trial said, as a reason. */
export function reasonOf({ reason, waiting_for: waiting }: Verdict): string {
  const waited = waiting.length === 0 ? '' : `it waited for ${waiting.join(', ')}`;
  return [reason, waited].filter((part) => part !== '').join(': ');
}
