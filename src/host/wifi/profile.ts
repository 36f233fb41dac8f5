import { createHash } from 'node:crypto';

/** A connection profile of NetworkManager's, one for each interface that Linkspan joins networks with. */
export type WifiProfile = {
  readonly interface: string;
  readonly ssid: string;
  /** absent: an open network */
  readonly key?: string;
};

/** The profile's name, and its file's before `.nmconnection`. */
export function profileName(device: string): string {
  return `linkspan-${device}`;
}

/** The most that NetworkManager takes (nm-settings-keyfile(5)): it waits for ever. */
const EVER = 2_147_483_647;

/**
 * The profile as a keyfile (nm-settings-keyfile(5)). Where the plant gives the gateway itself no address, NetworkManager
 * goes on asking and stays associated: that is all that the workloads' networks need.
 */
export function keyfile({ interface: device, ssid, key }: WifiProfile): string {
  const bytes = [...Buffer.from(ssid)].map((byte) => `${byte};`).join('');
  return [
    '[connection]',
    `id=${profileName(device)}`,
    `uuid=${uuidOf(device)}`,
    'type=wifi',
    `interface-name=${device}`,
    '[wifi]',
    'mode=infrastructure',
    `ssid=${bytes}`,
    ...(key === undefined ? [] : ['[wifi-security]', 'key-mgmt=wpa-psk', `psk=${escaped(key)}`]),
    '[ipv4]',
    'method=auto',
    `dhcp-timeout=${EVER}`,
    '[ipv6]',
    'method=auto',
    `ra-timeout=${EVER}`,
    '',
  ].join('\n');
}

/** GLib drops a value's leading spaces unless they are written so. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll(' ', '\\s');
}

/** The same for the same interface (a UUID of version 8, RFC 9562 section 5.8), so that a new profile replaces the old. */
function uuidOf(device: string): string {
  const hex = createHash('sha256').update(`linkspan wifi ${device}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
