import { defaultRoute } from '../attach/link.ts';
import { explained } from '../attach/refusals.ts';
import type { LinkKind, LinkSpec } from '../drivers/driver.ts';
import { roleOf } from '../drivers/role.ts';
import { kindMissing } from '../host/kernel-kind.ts';
import { OUR_GROUP } from '../host/links.ts';
import { setGro } from '../host/offloads.ts';
import { setPort } from '../host/links.ts';
import { CommandError, ipBatch } from '../host/run.ts';
import { shield } from '../host/shield.ts';
import { closeTap, keepTap, openTap } from '../host/tap.ts';
import { limitLearned } from '../host/rtnetlink.ts';
import { LEARNED_MAX, switchWords } from './plain-switch.ts';
import type { Adjustment } from './plan-links.ts';

/**
 * Entries of a vxlan device's table, those from the records among them: behind a foreign VTEP somebody may forge MACs, each
 * of which stays five minutes. What finds no room is flooded. Only a new device takes a limit.
 */
const FDB_MAX = 65_536;

/** Alias and addresses come before `up`: an interface that is up is complete. A half-made link leaves with the error. */
export async function createLink(link: LinkSpec): Promise<void> {
  const { name, mtu, kind } = link;
  if (kind.type === 'tap') return createTap(link);
  const parent = 'parent' in kind ? `link ${kind.parent} ` : '';
  const mac = kind.type === 'bridge' ? `address ${kind.mac} ` : '';
  await ipBatch([`link add ${parent}name ${name} ${mac}mtu ${mtu} group ${OUR_GROUP} type ${kindWords(kind)}`]).catch(
    (error: unknown) => {
      throw isUnknownKind(error) ? kindMissing(kind.type, `interface ${name}`, error) : error;
    },
  );
  try {
    // Before it is up: at no moment does the host take what it shall not.
    shield(name, roleOf(kind.type, link.alias));
    if (kind.type === 'bridge' && kind.carrier === true) await limitLearned(name, LEARNED_MAX);
    await ipBatch([
      `link set dev ${name} alias "${link.alias}"`,
      ...link.addresses.map((address) => addAddress(address, name)),
      `link set dev ${name} up`,
    ]);
    if (kind.type === 'vxlan') setGro(name, kind.gro);
  } catch (error) {
    await ipBatch([`link del dev ${name}`]).catch(() => {});
    throw error;
  }
}

/** In the words of `ip`, older and newer. */
function isUnknownKind(error: unknown): boolean {
  return error instanceof CommandError && /Unknown device type|Operation not supported/.test(error.stderr);
}

/**
 * Marked first and only then made to outlive its descriptor: a crash before that leaves nothing behind. What the TAP may
 * pass unsegmented is set by whoever opens it.
 */
async function createTap({ name, alias, mtu }: LinkSpec): Promise<void> {
  const tap = openTap(name);
  try {
    await ipBatch([`link set dev ${name} group ${OUR_GROUP}`, `link set dev ${name} alias "${alias}" mtu ${mtu}`]);
    keepTap(tap);
  } finally {
    closeTap(tap);
  }
  shield(name, 'carrier');
  await ipBatch([`link set dev ${name} up`]);
}

/** A link may be gone with another that an earlier step deleted: a veth's host end goes with the workload's end. */
export async function deleteLink(name: string, sandbox?: string): Promise<void> {
  await ipBatch([`link del dev ${name}`], sandbox).catch(unlessGone);
}

export async function setDown(name: string): Promise<void> {
  await ipBatch([`link set dev ${name} down`]).catch(unlessGone);
}

function unlessGone(error: unknown): void {
  if (!(error instanceof CommandError && error.stderr.includes('Cannot find device'))) throw error;
}

function kindWords(kind: Exclude<LinkKind, { type: 'tap' }>): string {
  if (kind.type === 'bridge') return kind.carrier === true ? `bridge ${switchWords().join(' ')}` : 'bridge';
  if (kind.type === 'macvlan' || kind.type === 'ipvlan') return `${kind.type} mode ${kind.mode}`;
  if (kind.type === 'vlan') return `vlan protocol ${kind.protocol} id ${kind.id}`;
  const multicast = kind.multicast === undefined ? '' : ` group ${kind.multicast.group} dev ${kind.multicast.device}`;
  const learning = kind.learning ? 'learning' : 'nolearning';
  return `vxlan id ${kind.vni} local ${kind.local} dstport ${kind.port} ${learning} maxaddress ${FDB_MAX}${multicast}`;
}

function masterWords(master: string | null): string {
  return master === null ? 'nomaster' : `master ${master}`;
}

/** `nodad`: see `attach`; the shim's address is the parent's too, and would find itself a duplicate. */
function addAddress(address: string, name: string): string {
  return `address add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`;
}

export async function adjustLink(name: string, changes: Adjustment, sandbox: string | undefined): Promise<void> {
  if (changes.gro !== undefined) setGro(name, changes.gro);
  if (changes.shield !== undefined) shield(name, changes.shield);
  if (changes.learned !== undefined) await limitLearned(name, changes.learned);
  const set = `link set dev ${name}`;
  const lines = [
    ...(changes.vxlan === undefined ? [] : [`${set} type vxlan ${changes.vxlan.join(' ')}`]),
    ...(changes.bridge === undefined ? [] : [`${set} type bridge ${changes.bridge.join(' ')}`]),
    ...(changes.mtu === undefined ? [] : [`${set} mtu ${changes.mtu}`]),
    ...(changes.mac === undefined ? [] : [`${set} address ${changes.mac}`]),
    ...(changes.master === undefined ? [] : [`${set} ${masterWords(changes.master)}`]),
    ...(changes.learns === undefined ? [] : [`${set} type bridge_slave learning ${changes.learns ? 'on' : 'off'}`]),
    ...(changes.port === undefined ? [] : [setPort(name, changes.port)]),
    ...changes.addAddresses.map((address) => addAddress(address, name)),
    ...changes.removeAddresses.map((address) => `address del ${address} dev ${name}`),
    ...(changes.alias === undefined ? [] : [`${set} alias "${changes.alias}"`]),
    ...(changes.up === undefined ? [] : [`${set} up`]),
    ...(changes.addDefaults ?? []).map((gateway) => defaultRoute(gateway, name)),
  ];
  await ipBatch(lines, sandbox).catch((error: unknown) => {
    throw explained(error, { mac: changes.mac, addresses: changes.addAddresses }, `${name}'s wire`);
  });
}
