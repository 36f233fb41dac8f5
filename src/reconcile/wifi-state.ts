import type { WifiLook } from '../host/wifi/look.ts';
import type { Problem } from '../model/problem.ts';
import type { HeardNetwork, WifiStatus } from '../model/status.ts';

/** How long NetworkManager may be at it before the attempt counts as failed. */
const JOINING_MAX_MS = 45_000;

const GAVE_UP = 'NetworkManager has given up; see to the key, the access point and the signal';

/** How it stands with one interface and its network. */
export type Wifi = {
  readonly state: WifiStatus['state'];
  /** percent, while joined and known */
  readonly signal?: number;
  /** at the last scan that was looked at */
  readonly heard?: readonly HeardNetwork[];
  /** since when NetworkManager is at it, in monotonic milliseconds */
  readonly since?: number;
  /** of the last attempt that failed; forgotten once joined */
  readonly why?: string;
};

/**
 * What is to be done about it: nothing, an attempt as soon as one is due, the end of one that leads nowhere, or a rest
 * after one that NetworkManager has ended.
 */
export type WifiStep = 'none' | 'join' | 'leave' | 'rest';

export const NEW_WIFI: Wifi = { state: 'joining' };

/** What a look says, after what was known. A network that was joined and is not is `lost` until it is joined again. */
export function seen(before: Wifi, look: WifiLook, ssid: string, now: number): { wifi: Wifi; step: WifiStep } {
  if (look.kind === 'absent') return { wifi: { state: 'absent' }, step: 'none' };
  if (look.kind === 'joined' && look.ssid === ssid) {
    return {
      wifi: { state: 'joined', heard: look.heard, ...(look.signal !== undefined && { signal: look.signal }) },
      step: 'none',
    };
  }
  const { since: _, signal: __, ...kept } = before;
  const wifi: Wifi = { ...kept, state: withoutLink(before.state), ...('heard' in look && { heard: look.heard }) };
  if (look.kind === 'joining') return atIt(wifi, before.since ?? now, now);
  if (look.kind === 'unusable') return { wifi: { ...wifi, why: unusable(look.why) }, step: 'none' };
  return before.since === undefined ? { wifi, step: 'join' } : { wifi: failed(wifi, GAVE_UP), step: 'rest' };
}

/** An attempt has failed. */
export function failed(before: Wifi, why: string): Wifi {
  const { heard, state } = before;
  return { state: state === 'lost' ? 'lost' : 'failed', why, ...(heard && { heard }) };
}

type Told = { readonly code: Problem['code']; readonly text: (ssid: string) => string };

const TOLD: Readonly<Record<Exclude<Wifi['state'], 'joined'>, Told>> = {
  absent: { code: 'waiting', text: () => 'is gone, or NetworkManager does not know it; plug it in again' },
  joining: { code: 'waiting', text: (ssid) => `is joining ${ssid}` },
  lost: { code: 'wifi_lost', text: (ssid) => `has lost ${ssid}; it is joined again when it is back` },
  failed: { code: 'wifi_failed', text: (ssid) => `has not joined ${ssid}` },
};

/** What is to be told of an uplink; undefined where all is well. */
export function wifiProblem(uplink: string, device: string, ssid: string, wifi: Wifi): Problem | undefined {
  if (wifi.state === 'joined') return undefined;
  const { code, text } = TOLD[wifi.state];
  const because = wifi.why === undefined ? '' : `: ${wifi.why}`;
  const message = `uplink ${uplink}: ${device} ${text(JSON.stringify(ssid))}${because}`;
  return { path: `/spec/uplinks/${uplink}/ssid`, code, message };
}

function withoutLink(state: Wifi['state']): Wifi['state'] {
  if (state === 'joined') return 'lost';
  return state === 'absent' ? 'joining' : state;
}

function atIt(wifi: Wifi, since: number, now: number): { wifi: Wifi; step: WifiStep } {
  if (now - since < JOINING_MAX_MS) return { wifi: { ...wifi, since }, step: 'none' };
  const why = `nothing came of it in ${JOINING_MAX_MS / 1000} s; see to the access point and the signal`;
  return { wifi: failed(wifi, why), step: 'leave' };
}

function unusable(why: string): string {
  const remedy = 'let NetworkManager manage the interface (unmanaged-devices), start wpa_supplicant, or lift rfkill';
  return `NetworkManager says that it is ${why}; ${remedy}`;
}
