import type { FamilyForwarding } from './forwarding.ts';
import { hasSetting, namesWith, readSetting, settingNames, writeSetting } from './sysctl.ts';

/**
 * How IPv6 is forwarded. From Linux 6.17 on an interface can be told by itself (`force_forwarding`), as in IPv4. Before,
 * the kernel forwards for all of them (`all.forwarding`) or for none, and what is called `forwarding` of one interface
 * only makes it a router towards its neighbours: one that takes no router advertisement, which would cost a gateway that
 * has its own address by one its way out. So there `all.forwarding` is switched on and each interface left the host that
 * it was. `default.forwarding` stays off then, which tells this state from an owner's will: who writes `all.forwarding`
 * switches the default with it.
 */
export function readForwarding6(): FamilyForwarding {
  const routers = namesWith(6, 'forwarding');
  const host = routers.has('all') && routers.has('default');
  if (hasSetting(6, 'force_forwarding')) return { host, devices: devicesOf(namesWith(6, 'force_forwarding')) };
  return { host, devices: devicesOf(routers.has('all') && !host ? settingNames(6) : []) };
}

function devicesOf(names: Iterable<string>): ReadonlySet<string> {
  return new Set([...names].filter((name) => name !== 'all' && name !== 'default'));
}

export function setForwarding6(devices: readonly string[], on: boolean): void {
  if (!hasSetting(6, 'force_forwarding')) forwardWidely(on);
  else for (const device of devices) writeSetting(6, 'force_forwarding', device, on ? 1 : 0);
}

/**
 * Switches `all.forwarding` and nothing else. All writes are synchronous: for the moment between two of them an
 * interface is no host, and the default routes learned from advertisements are dropped there but where `accept_ra` is 2.
 */
export function forwardWidely(on: boolean): void {
  const names = [...devicesOf(settingNames(6))];
  const before = names.map((name) => [name, readSetting(6, 'forwarding', name) ?? 0] as const);
  const learning = names.filter((name) => readSetting(6, 'accept_ra', name) === 1);
  for (const name of learning) writeSetting(6, 'accept_ra', name, 2);
  writeSetting(6, 'forwarding', 'all', on ? 1 : 0);
  writeSetting(6, 'forwarding', 'default', 0);
  for (const [name, value] of before) writeSetting(6, 'forwarding', name, value);
  for (const name of learning) writeSetting(6, 'accept_ra', name, 1);
}
