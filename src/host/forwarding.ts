import { readForwarding6, setForwarding6 } from './forwarding6.ts';
import { namesWith, writeSetting } from './sysctl.ts';

/** Who forwards the packets of one family. */
export type FamilyForwarding = {
  /** the host as a whole, by its owner's will: `net.ipv4.ip_forward`, `net.ipv6.conf.all.forwarding` */
  readonly host: boolean;
  /** what comes in by these is forwarded: the kernel asks the arriving packet's interface */
  readonly devices: ReadonlySet<string>;
};

export type ObservedForwarding = {
  readonly 4: FamilyForwarding;
  readonly 6: FamilyForwarding;
  /** interfaces by which packets from and to 127.0.0.0/8 may pass (`route_localnet`) */
  readonly localnet: ReadonlySet<string>;
};

export function readForwarding(): ObservedForwarding {
  const devices = namesWith(4, 'forwarding');
  const host = devices.delete('all');
  devices.delete('default');
  return { 4: { host, devices }, 6: readForwarding6(), localnet: namesWith(4, 'route_localnet') };
}

/** Interfaces that are gone meanwhile are left out. The host as a whole goes on telling what its owner wants. */
export function setForwarding(family: 4 | 6, devices: readonly string[], on: boolean): void {
  if (family === 6) setForwarding6(devices, on);
  else for (const device of devices) writeSetting(4, 'forwarding', device, on ? 1 : 0);
}

export function setLocalnet(devices: readonly string[], on: boolean): void {
  for (const device of devices) writeSetting(4, 'route_localnet', device, on ? 1 : 0);
}
