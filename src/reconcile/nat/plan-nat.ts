import type { FirewallFamily } from '../../host/firewall.ts';
import type { Observation } from '../observe.ts';
import type { FirewallMemory, Step } from '../plan.ts';
import { difference } from '../difference.ts';
import { GUARD_CHAINS } from './inet-rules.ts';
import type { NatIntent } from './intent.ts';
import { changedTargets, readMaps } from './maps.ts';

const object = 'host/firewall';
const FAMILIES = [4, 6] as const;

/**
 * The packet filter and what the host forwards. At no moment does it forward what the rules should drop: rules come
 * before forwarding, and go after it. One object, so that a step that fails holds up those that rely on it; the rules of
 * bridges are another, since a kernel may not have them.
 */
export function planNat(nat: NatIntent, seen: Observation, memory: FirewallMemory): readonly Step[] {
  return [
    ...FAMILIES.flatMap((family) => forwardingOff(nat, seen, family)),
    ...localnet(nat, seen, false),
    ...FAMILIES.flatMap((family) => docker(nat, seen, family, 'remove')),
    ...table('bridge', nat, seen, memory),
    ...table('inet', nat, seen, memory),
    ...localnet(nat, seen, true),
    ...FAMILIES.flatMap((family) => docker(nat, seen, family, 'add')),
    ...FAMILIES.flatMap((family) => forwardingOn(nat, seen, family)),
  ];
}

function table(family: FirewallFamily, nat: NatIntent, seen: Observation, memory: FirewallMemory): readonly Step[] {
  const body = nat.tables[family];
  const have = seen.firewall[family];
  const asApplied = memory[family]?.body === body && memory[family].fingerprint === have?.fingerprint;
  if (asApplied || (body === '' && have === undefined)) return [];
  const flows = family === 'inet' ? changedTargets(readMaps(have), nat.translations) : [];
  const local = seen.links.flatMap(({ addresses }) => addresses.map((address) => address.split('/')[0] ?? ''));
  const whose = family === 'inet' ? object : 'host/bridge-firewall';
  return [{ kind: 'firewall.apply', object: whose, family, body, flows, local }];
}

/** The guard's presence tells that it is ours to switch off. */
function forwardingOff(nat: NatIntent, seen: Observation, family: 4 | 6): readonly Step[] {
  const { host, devices } = seen.forwarding[family];
  const guarded = seen.firewall.inet?.chains.includes(GUARD_CHAINS[family]) ?? false;
  if (nat.forwarding[family].length > 0 || host || !guarded || devices.size === 0) return [];
  return [{ kind: 'forwarding.set', object, family, devices: [...devices], on: false }];
}

function forwardingOn(nat: NatIntent, seen: Observation, family: 4 | 6): readonly Step[] {
  const { host, devices } = seen.forwarding[family];
  const missing = host ? [] : nat.forwarding[family].filter((device) => !devices.has(device));
  return missing.length === 0 ? [] : [{ kind: 'forwarding.set', object, family, devices: missing, on: true }];
}

/** Only ever of our own bridges, which stand before the rules. */
function localnet(nat: NatIntent, seen: Observation, on: boolean): readonly Step[] {
  const ours = [...seen.forwarding.localnet].filter((name) => name.startsWith('lsb-'));
  const { add, remove } = difference(nat.localnet, ours, (name) => name);
  const devices = on ? add : remove;
  return devices.length === 0 ? [] : [{ kind: 'localnet.set', object, devices, on }];
}

function docker(nat: NatIntent, seen: Observation, family: 4 | 6, which: 'add' | 'remove'): readonly Step[] {
  const have = seen.dockers[family];
  if (have === undefined) return [];
  const rules = difference(nat.docker[family], have.rules, (rule) => rule)[which];
  if (rules.length === 0) return [];
  return [{ kind: 'docker.sync', object, family, add: [], remove: [], [which]: rules }];
}
