import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WifiNetwork } from '../../model/network.ts';
import { LinkspanError, messageOf } from '../../service/errors.ts';
import { CommandError } from '../run.ts';
import { keyStamp, readKey } from './key.ts';
import { withNodeWifi } from './library.ts';
import { isHeard, look, type WifiLook } from './look.ts';
import { nmcli } from './nmcli.ts';
import { keyfile, profileName } from './profile.ts';

/** Forgotten at the next boot, as all that Linkspan makes; NetworkManager reads profiles there as anywhere else. */
const PROFILES = '/run/NetworkManager/system-connections';
/** Seconds that nmcli waits for the outcome, as node-wifi has it wait. */
const WAIT_S = '10';
/** nmcli(1), exit status: it has waited long enough, and NetworkManager goes on. */
const TIMED_OUT = 3;
const BSSID = /^[0-9a-f]{1,2}([:-][0-9a-f]{1,2}){5}$/i;
const NO_SECRETS = 'Secrets were required';

export type WifiHost = {
  /** @throws LinkspanError where NetworkManager cannot be asked */
  readonly look: (device: string) => Promise<WifiLook>;
  /**
   * Has NetworkManager join the network; returns when it has, or goes on trying.
   * @throws LinkspanError `wifi_key`, `wifi_unheard`, `wifi_refused` or `wifi_failed`
   */
  readonly join: (device: string, network: WifiNetwork) => Promise<void>;
  /** Ends an attempt that leads nowhere. */
  readonly leave: (device: string) => Promise<void>;
  readonly keyStamp: typeof keyStamp;
};

/**
 * This host's WiFi, by NetworkManager. One thing at a time: node-wifi has one interface for the whole process.
 * @param profiles where NetworkManager reads profiles that end with this boot
 */
export function wifiHost(profiles = PROFILES): WifiHost {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const mine = last.then(act);
    last = mine.catch(() => undefined);
    return mine;
  };
  return {
    look: (device) => inTurn(() => look(device).catch(unreachable)),
    join: (device, network) => inTurn(() => joinNetwork(device, network, profiles)),
    leave: (device) => inTurn(() => withNodeWifi(device, (wifi) => wifi.disconnect()).catch(() => undefined)),
    keyStamp,
  };
}

async function joinNetwork(device: string, { ssid, pskFile }: WifiNetwork, profiles: string): Promise<void> {
  const key = pskFile === undefined ? undefined : await readKey(pskFile);
  // It scans where the last scan is old. What it makes of the answer is not used: it splits an SSID at its colons.
  await withNodeWifi(device, (wifi) => wifi.scan()).catch(() => undefined);
  if (!(await isHeard(device, ssid).catch(unreachable))) throw unheard(device, ssid);
  await loadProfile(profiles, device, keyfile({ interface: device, ssid, ...(key !== undefined && { key }) }));
  // node-wifi would hand the key to nmcli as an argument, and nmcli would write even a wrong one into our profile. And what
  // looks like an access point's address nmcli takes for one, whatever its SSID is.
  const outcome =
    key === undefined && !BSSID.test(ssid)
      ? withNodeWifi(device, (wifi) => wifi.connect({ ssid }))
      : nmcli(['--wait', WAIT_S, 'connection', 'up', 'id', profileName(device), 'ifname', device]);
  await outcome.catch((error: unknown) => judge(error, device, key));
}

async function loadProfile(folder: string, device: string, text: string): Promise<void> {
  const file = join(folder, `${profileName(device)}.nmconnection`);
  try {
    await mkdir(folder, { recursive: true });
    await rm(file, { force: true });
    await writeFile(file, text, { mode: 0o600, flag: 'wx' });
    await nmcli(['connection', 'load', file]);
  } catch (error) {
    const remedy = 'NetworkManager must run before Linkspan, which must be allowed to write there (see docs/wifi.md)';
    throw new LinkspanError({ code: 'wifi_failed', object: file, reason: messageOf(error), remedy });
  }
}

/** Neither code tells a wrong key for sure; one that NetworkManager is still at work with is judged by later looks. */
function judge(error: unknown, device: string, key: string | undefined): void {
  const code = error instanceof CommandError ? error.exitCode : (error as { code?: unknown }).code;
  if (code === TIMED_OUT) return;
  const said = redacted(error instanceof CommandError ? error.stderr : messageOf(error), key);
  if (said.includes(NO_SECRETS)) throw refused(device);
  const reason = /Error: (.*)/.exec(said)?.[1] ?? (said.trim().split('\n')[0] || 'NetworkManager said nothing');
  const remedy = "see NetworkManager's log";
  throw new LinkspanError({ code: 'wifi_failed', object: device, reason, remedy });
}

function redacted(text: string, key: string | undefined): string {
  return key === undefined ? text : text.replaceAll(key, '(the key)');
}

function refused(device: string): LinkspanError {
  const reason = 'the access point did not take the key, or did not answer while it was tried';
  return new LinkspanError({ code: 'wifi_refused', object: device, reason, remedy: 'correct the key in "pskFile"' });
}

function unheard(device: string, ssid: string): LinkspanError {
  const reason = `no access point of ${JSON.stringify(ssid)} is heard`;
  const remedy = 'correct "ssid", or see to the access point and the antenna; it is looked for again';
  return new LinkspanError({ code: 'wifi_unheard', object: device, reason, remedy });
}

function unreachable(error: unknown): never {
  const remedy = 'install network-manager and wpasupplicant, and start NetworkManager';
  throw new LinkspanError({ code: 'wifi_failed', object: 'nmcli', reason: messageOf(error), remedy, cause: error });
}
