import type { FirmwareStatus, FirmwareWish } from '../model/firmware.ts';
import type { Problem } from '../model/problem.ts';

const PATH = '/spec/firmware';
const CODES = { refused: 'firmware_refused', failed: 'firmware_failed', rolled_back: 'firmware_rolled_back' } as const;
const UNAVAILABLE =
  "spec.firmware: this gateway's firmware is not Linkspan's to change (it runs no image with two slots); leave it out here";

/** What keeps the document's firmware from running; undefined: nothing, or it is on its way. */
export function firmwareProblem(wish: FirmwareWish | undefined, status: FirmwareStatus | null): Problem | undefined {
  if (wish === undefined) return undefined;
  if (status === null) return { path: PATH, code: 'firmware_unavailable', message: UNAVAILABLE };
  const { state, error, target_version: target } = status;
  if (!(state in CODES) || error === null || (target !== null && target !== wish.version)) return undefined;
  return { path: PATH, code: CODES[state as keyof typeof CODES], message: error.message };
}
