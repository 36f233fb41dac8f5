import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Settings that each network device has of its own under /proc/sys/net. */
export type DeviceSetting =
  | 'forwarding'
  | 'force_forwarding'
  | 'route_localnet'
  | 'accept_ra'
  | 'disable_ipv6'
  | 'proxy_ndp'
  | 'rp_filter'
  | 'arp_ignore';

const folder = (family: 4 | 6): string => `/proc/sys/net/ipv${family}/conf`;
const fileOf = (family: 4 | 6, setting: DeviceSetting, device: string): string =>
  `${folder(family)}/${device}/${setting}`;

/** The names that have settings: every device, `all` and `default`; none where the kernel runs without that family. */
export function settingNames(family: 4 | 6): readonly string[] {
  return existsSync(folder(family)) ? readdirSync(folder(family)) : [];
}

export function hasSetting(family: 4 | 6, setting: DeviceSetting): boolean {
  return existsSync(fileOf(family, setting, 'all'));
}

/** The number in it, or undefined where the device is gone. */
export function readSetting(family: 4 | 6, setting: DeviceSetting, device: string): number | undefined {
  try {
    return Number(readFileSync(fileOf(family, setting, device), 'utf8'));
  } catch (error) {
    return unlessGone(error as NodeJS.ErrnoException);
  }
}

/** A device that is gone meanwhile is left out. */
export function writeSetting(family: 4 | 6, setting: DeviceSetting, device: string, value: number): void {
  try {
    writeFileSync(fileOf(family, setting, device), String(value));
  } catch (error) {
    unlessGone(error as NodeJS.ErrnoException);
  }
}

/** The names of which the setting is not 0. */
export function namesWith(family: 4 | 6, setting: DeviceSetting): Set<string> {
  return new Set(settingNames(family).filter((name) => (readSetting(family, setting, name) ?? 0) !== 0));
}

function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
