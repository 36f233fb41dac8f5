import type { FirmwareError } from '../model/firmware.ts';

/** A slot by the name that the boot loader has for it, and what is in it. */
export type Place = { readonly slot: string; readonly version: string };

/**
 * `activating`: the boot loader may not have been told yet; `activated`: it has; then what became of it. `rolled_back`
 * means that another slot than `to` came up.
 */
export type AttemptPhase = 'activating' | 'activated' | 'committed' | 'rolled_back';

/** One change to another slot, written down before it so that whoever runs next knows what was there before. */
export type Attempt = {
  readonly from: Place;
  readonly to: Place;
  /** of the document's bundle; null: installed by hand */
  readonly url: string | null;
  readonly phase: AttemptPhase;
  /** whether the broker was connected, and which gateways were up */
  readonly broker: boolean;
  readonly peers: readonly string[];
  /** the boot in which it was asked for, since the clock of a gateway may be wrong */
  readonly boot: string;
  /** why it was rolled back */
  readonly reason: string | null;
};

/** What a document asked for and does not get. */
export type Refused = { readonly url: string; readonly version: string; readonly error: FirmwareError };

/** What outlives a restart into another version, in a form that an older and a newer one read. */
export type Memory = { readonly attempt?: Attempt; readonly refused?: Refused };

export function encodeMemory(memory: Memory): string {
  return `${JSON.stringify({ v: 1, ...memory }, undefined, 2)}\n`;
}

/** What cannot be read is forgotten: then nothing is on trial, and a document's wish is tried anew. */
export function decodeMemory(text: string): Memory {
  const fields = objectIn(text);
  const [attempt, refused] = [attemptIn(fields['attempt']), refusedIn(fields['refused'])];
  return { ...(attempt && { attempt }), ...(refused && { refused }) };
}

/** What the trial of a slot came to, by whoever judged it. */
export type Verdict = {
  readonly slot: string;
  readonly good: boolean;
  readonly reason: string;
  readonly waiting_for: readonly string[];
};

export function decodeVerdict(text: string): Verdict | undefined {
  const { slot, result, reason, waiting_for: waiting } = objectIn(text);
  if (typeof slot !== 'string' || (result !== 'good' && result !== 'bad')) return undefined;
  return { slot, good: result === 'good', reason: textIn(reason), waiting_for: textsIn(waiting) };
}

type Fields = Readonly<Record<string, unknown>>;

const PHASES: readonly unknown[] = ['activating', 'activated', 'committed', 'rolled_back'] satisfies AttemptPhase[];
const TEXT_MAX = 1000;
const TEXTS_MAX = 10_000;

function objectIn(text: string): Fields {
  try {
    return fieldsIn(JSON.parse(text));
  } catch {
    return {};
  }
}

function fieldsIn(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function attemptIn(value: unknown): Attempt | undefined {
  const { from, to, url, phase, broker, peers, boot, reason } = fieldsIn(value);
  const [before, after] = [placeIn(from), placeIn(to)];
  if (before === undefined || after === undefined || !PHASES.includes(phase)) return undefined;
  return {
    from: before,
    to: after,
    url: typeof url === 'string' ? url : null,
    phase: phase as AttemptPhase,
    broker: broker === true,
    peers: textsIn(peers),
    boot: textIn(boot),
    reason: typeof reason === 'string' ? textIn(reason) : null,
  };
}

function placeIn(value: unknown): Place | undefined {
  const { slot, version } = fieldsIn(value);
  return typeof slot === 'string' && typeof version === 'string' ? { slot, version } : undefined;
}

function refusedIn(value: unknown): Refused | undefined {
  const { url, version, error } = fieldsIn(value);
  const { code, message } = fieldsIn(error);
  if (typeof url !== 'string' || typeof version !== 'string' || typeof code !== 'string') return undefined;
  return { url, version, error: { code: code as FirmwareError['code'], message: textIn(message) } };
}

function textIn(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, TEXT_MAX) : '';
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.slice(0, TEXTS_MAX).map((one) => textIn(one)) : [];
}
