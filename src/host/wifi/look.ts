import { readFile } from 'node:fs/promises';
import { CommandError } from '../run.ts';
import { nmcli } from './nmcli.ts';
import { terseRecords, terseValues } from './terse.ts';

/** How NetworkManager sees an interface. */
export type WifiLook =
  | { readonly kind: 'absent' }
  /** told to leave it alone, or cannot use it; `why` is its own word */
  | { readonly kind: 'unusable'; readonly why: string }
  | { readonly kind: 'idle' }
  | { readonly kind: 'joining' }
  /** associated; whether the gateway has an address there is another matter. `signal` in percent, where it is known */
  | { readonly kind: 'joined'; readonly ssid: string; readonly signal: number | undefined };

/** NMDeviceState, in NetworkManager's D-Bus types. */
const STATE = { disconnected: 30, prepare: 40, ipConfig: 70, deactivating: 110 };
/** nmcli(1), exit status: the connection, device or access point does not exist. */
export const NO_SUCH = 10;

/** Asks NetworkManager, and has nothing scanned for it: a scan takes the radio off its channel. @throws CommandError */
export async function look(device: string): Promise<WifiLook> {
  const fields = ['--terse', '--fields', 'GENERAL.STATE,GENERAL.CONNECTION'];
  const answer = await nmcli([...fields, 'device', 'show', device]).catch(absent);
  if (answer === undefined) return { kind: 'absent' };
  const [text = '', profile = ''] = terseValues(answer);
  const state = Number.parseInt(text, 10);
  if (!(state >= STATE.disconnected))
    return { kind: 'unusable', why: /\((.*)\)/.exec(text)?.[1] ?? 'in no known state' };
  if (state < STATE.prepare || state >= STATE.deactivating) return { kind: 'idle' };
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
  return (await accessPoints(device)).some(([, heard]) => heard === ssid);
}

/** nmcli marks the access point in use only once the gateway has an address there; before, its profile names the SSID. */
async function current(device: string, profile: string): Promise<WifiLook | undefined> {
  const heard = await accessPoints(device);
  const ssid = heard.find(([mark]) => mark === '*')?.[1] ?? (await ssidOf(profile));
  if (ssid === undefined) return undefined;
  // Without the mark, the strongest of its access points: nmcli lists them by signal.
  const [, , signal = ''] = heard.find(([mark]) => mark === '*') ?? heard.find(([, name]) => name === ssid) ?? [];
  return { kind: 'joined', ssid, signal: /^\d+$/.test(signal) ? Math.min(100, Number(signal)) : undefined };
}

async function ssidOf(profile: string): Promise<string | undefined> {
  const answer = await nmcli(['--terse', '--fields', '802-11-wireless.ssid', 'connection', 'show', 'id', profile]);
  return terseValues(answer)[0];
}

async function accessPoints(device: string): Promise<readonly (readonly string[])[]> {
  const list = ['device', 'wifi', 'list', 'ifname', device, '--rescan', 'no'];
  return terseRecords(await nmcli(['--terse', '--fields', 'IN-USE,SSID,SIGNAL', ...list]), 3);
}

function absent(error: unknown): undefined {
  if (error instanceof CommandError && error.exitCode === NO_SUCH) return undefined;
  throw error;
}
