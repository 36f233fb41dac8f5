import { readFile } from 'node:fs/promises';
import type { HeardNetwork } from '../../model/status.ts';
import { CommandError } from '../run.ts';
import { nmcli } from './nmcli.ts';
import { terseRecords, terseValues } from './terse.ts';

/** How NetworkManager sees an interface. */
export type WifiLook =
  | { readonly kind: 'absent' }
  /** told to leave it alone, or cannot use it; `why` is its own word */
  | { readonly kind: 'unusable'; readonly why: string }
  | { readonly kind: 'idle'; readonly heard: readonly HeardNetwork[] }
  | { readonly kind: 'joining' }
  /** associated; whether the gateway has an address there is another matter. `signal` in percent, where it is known */
  | {
      readonly kind: 'joined';
      readonly ssid: string;
      readonly signal: number | undefined;
      readonly heard: readonly HeardNetwork[];
    };

/** NMDeviceState, in NetworkManager's D-Bus types. */
const STATE = { disconnected: 30, prepare: 40, ipConfig: 70, deactivating: 110 };
/** nmcli(1), exit status: the connection, device or access point does not exist. */
export const NO_SUCH = 10;
/** More are no help to who looks for his own. */
const HEARD_MAX = 32;

/** Asks NetworkManager, and has nothing scanned for it: a scan takes the radio off its channel. @throws CommandError */
export async function look(device: string): Promise<WifiLook> {
  const fields = ['--terse', '--fields', 'GENERAL.STATE,GENERAL.CONNECTION'];
  const answer = await nmcli([...fields, 'device', 'show', device]).catch(absent);
  if (answer === undefined) return { kind: 'absent' };
  const [text = '', profile = ''] = terseValues(answer);
  const state = Number.parseInt(text, 10);
  if (!(state >= STATE.disconnected))
    return { kind: 'unusable', why: /\((.*)\)/.exec(text)?.[1] ?? 'in no known state' };
  if (state < STATE.prepare || state >= STATE.deactivating) {
    return { kind: 'idle', heard: heardOf(await accessPoints(device)) };
  }
  if (state < STATE.ipConfig || (await isAssociated(device)) === false) return { kind: 'joining' };
  return (await current(device, profile)) ?? { kind: 'joining' };
}

/**
 * The kernel's own word, undefined where it has no such interface: while it waits for an address, NetworkManager was seen
 * to hold on to an access point for 80 s after that had gone. A station has carrier from association on.
 */
async function isAssociated(device: string): Promise<boolean | undefined> {
  const carrier = await readFile(`/sys/class/net/${device}/carrier`, 'utf8').catch(() => undefined);
  return carrier === undefined ? undefined : carrier.trim() === '1';
}

/** Whether an access point of this SSID was heard in the last scan. @throws CommandError */
export async function isHeard(device: string, ssid: string): Promise<boolean> {
  return (await accessPoints(device)).some(({ ssid: heard }) => heard === ssid);
}

/** nmcli marks the access point in use only once the gateway has an address there; before, its profile names the SSID. */
async function current(device: string, profile: string): Promise<WifiLook | undefined> {
  const heard = await accessPoints(device);
  const ssid = heard.find(({ inUse }) => inUse)?.ssid ?? (await ssidOf(profile));
  if (ssid === undefined) return undefined;
  // Without the mark, the strongest of its access points: nmcli lists them by signal.
  const own = heard.find(({ inUse }) => inUse) ?? heard.find((one) => one.ssid === ssid);
  return { kind: 'joined', ssid, signal: own?.signal, heard: heardOf(heard) };
}

async function ssidOf(profile: string): Promise<string | undefined> {
  const answer = await nmcli(['--terse', '--fields', '802-11-wireless.ssid', 'connection', 'show', 'id', profile]);
  return terseValues(answer)[0];
}

type AccessPoint = {
  readonly inUse: boolean;
  readonly ssid: string;
  /** percent, where it is known */
  readonly signal: number | undefined;
  readonly security: string;
};

/** Of the last scan, by signal. */
async function accessPoints(device: string): Promise<readonly AccessPoint[]> {
  const list = ['device', 'wifi', 'list', 'ifname', device, '--rescan', 'no'];
  const records = terseRecords(await nmcli(['--terse', '--fields', 'IN-USE,SSID,SIGNAL,SECURITY', ...list]), 4);
  return records.map(([mark, ssid = '', signal = '', security = '']) => ({
    inUse: mark === '*',
    ssid,
    signal: /^\d+$/.test(signal) ? Math.min(100, Number(signal)) : undefined,
    security,
  }));
}

/** One that hides its name is none that anybody looks for. */
function heardOf(points: readonly AccessPoint[]): readonly HeardNetwork[] {
  const strongest = new Map(
    points
      .toReversed()
      .map(({ ssid, signal = 0, security }) => [ssid, { ssid, signal_percent: signal, security }] as const),
  );
  strongest.delete('');
  return [...strongest.values()].toSorted((a, b) => b.signal_percent - a.signal_percent).slice(0, HEARD_MAX);
}

function absent(error: unknown): undefined {
  if (error instanceof CommandError && error.exitCode === NO_SUCH) return undefined;
  throw error;
}
