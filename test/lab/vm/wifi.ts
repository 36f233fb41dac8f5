import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../lab.ts';
import type { Namespace, Place } from '../namespace.ts';
import type { LabProcess } from '../process.ts';
import { until } from '../wait.ts';
import { moveRadio, radios } from './radios.ts';

/** The VM's first namespace: there its NetworkManager is. */
const VM: Place = { inside: (argv) => argv };

/** There too, with no more of root's powers than linkspan.service has. */
export async function asTheUnit(): Promise<Place> {
  const unit = await readFile(UNIT, 'utf8');
  const allowed = /^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1] ?? '';
  const set = allowed.toLowerCase().replaceAll('cap_', '+').replaceAll(' ', ',');
  return { inside: (argv) => ['setpriv', '--no-new-privs', '--bounding-set', `-all,${set}`, '--', ...argv] };
}

const UNIT = fileURLToPath(new URL('../../../systemd/linkspan.service', import.meta.url));
const UP_MS = 60_000;
/** NetworkManager takes no interface but the station's. */
const MANAGER = (station: string): string => `[main]
plugins=keyfile
dns=none
[keyfile]
unmanaged-devices=*,except:interface-name:${station}
`;

export type AccessPoint = {
  /** a running hostapd, until `stop` */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** it is heard, by the kernel's beacons, and answers nobody */
  readonly fallSilent: () => void;
  /** without a word; `start` brings it back */
  readonly vanish: () => Promise<void>;
  /** how often a station has been let in since the start of the lab */
  readonly joined: () => number;
  /** whether a station is let in now */
  readonly hasStation: () => Promise<boolean>;
};

export type WifiLab = {
  /** the gateway's interface */
  readonly station: string;
  /** two radios of this kind there are; `lines` are hostapd's for the SSID and its key */
  readonly accessPoint: (lines: readonly string[]) => Promise<AccessPoint>;
};

/** Three radios that hear each other, one of them the gateway's, with NetworkManager, wpa_supplicant and D-Bus. */
export async function wifiLab(lab: Lab): Promise<WifiLab> {
  const air = await lab.namespace('air');
  const [own, ...others] = await radios(lab, 3);
  const station = own?.device ?? '';
  for (const radio of others) await moveRadio(lab, radio, air);
  await startManager(lab, station);
  return {
    station,
    accessPoint: (lines) => accessPoint(lab, air, others.shift()?.device ?? '', lines),
  };
}

async function startManager(lab: Lab, station: string): Promise<void> {
  const folder = await lab.folder();
  await lab.write(join(folder, 'manager.conf'), MANAGER(station));
  await lab.run(['mkdir', '-p', '/run/dbus', join(folder, 'none')]);
  await lab.process(VM, ['dbus-daemon', '--system', '--nofork', '--nopidfile']);
  await until('D-Bus', () => lab.run(['test', '-S', '/run/dbus/system_bus_socket']), UP_MS);
  lab.defer(() => lab.run(['rm', '-f', '/run/dbus/system_bus_socket']));
  await lab.process(VM, ['wpa_supplicant', '-u']);
  // Where it may write to /sys, it waits for a udev that the VM has not.
  const program = `mount -o remount,bind,ro /sys && exec NetworkManager -n --config=${folder}/manager.conf --config-dir=${folder}/none`;
  await lab.process(VM, ['unshare', '--mount', 'sh', '-c', program]);
  lab.defer(() => lab.run(['rm', '-rf', '/run/NetworkManager']));
  const state = ['nmcli', '--terse', '--fields', 'GENERAL.STATE', 'device', 'show', station];
  await until('NetworkManager to take the radio', async () => (await lab.run(state)).stdout.includes('30 '), UP_MS);
}

async function accessPoint(lab: Lab, air: Namespace, radio: string, lines: readonly string[]): Promise<AccessPoint> {
  const file = join(await lab.folder(), 'hostapd.conf');
  await lab.write(file, [`interface=${radio}`, 'driver=nl80211', 'hw_mode=g', ...lines, ''].join('\n'));
  const runs: LabProcess[] = [];
  const ap: AccessPoint = {
    start: async () => {
      const run = await lab.process(air, ['hostapd', file]);
      runs.push(run);
      await until('the access point', () => run.log().includes('AP-ENABLED'), UP_MS);
    },
    stop: async () => runs.at(-1)?.stop(),
    fallSilent: () => runs.at(-1)?.signal('SIGSTOP'),
    vanish: async () => {
      await air.ip('link', 'set', radio, 'down');
      runs.at(-1)?.signal('SIGCONT');
      await runs.at(-1)?.stop();
    },
    joined: () => runs.flatMap((run) => run.log().match(/AP-STA-CONNECTED/g) ?? []).length,
    hasStation: async () =>
      (await air.attempt('iw', 'dev', radio, 'station', 'dump')).stdout.includes('authorized:\tyes'),
  };
  await ap.start();
  return ap;
}
