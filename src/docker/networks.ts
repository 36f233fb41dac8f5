import { setTimeout as sleep } from 'node:timers/promises';
import { formatIpPrefix, overlaps } from '../model/ip.ts';
import type { DockerNetwork } from '../model/docker.ts';
import { isSite, type Network, parentClash, type SiteNetwork } from '../model/network.ts';
import { LinkspanError } from '../service/errors.ts';
import { type DockerContext, raiseMissing, wireOf } from './context.ts';
import { wantedNetwork } from './network-options.ts';
import type { CreateNetworkRequest } from './requests.ts';

const MAKING_MS = 6000;

/**
 * `docker network create`: stored first, since Docker tells it once only, and made to stand before the answer; what
 * cannot stand is taken back and refused.
 * @throws LinkspanError with the reason and the remedy, which Docker shows to its user
 */
export async function createNetwork(context: DockerContext, request: CreateNetworkRequest): Promise<void> {
  const { networks } = context.records;
  const record: DockerNetwork = { id: request.id, ...wantedNetwork(request) };
  if ('joins' in record) {
    if (!context.document().networks.some(({ name }) => name === record.joins)) raiseMissing(record.joins);
    networks.put(record);
    return;
  }
  refuseClash(context, record.own);
  networks.put(record);
  const inTime = await settledInTime(context);
  const problem = context.view()?.problems.get(`network/${record.own.name}`);
  if (inTime && problem === undefined) return;
  networks.remove(record.id);
  context.wake();
  throw new LinkspanError({
    code: problem?.code ?? 'timeout',
    object: `network ${request.id.slice(0, 12)}`,
    reason: 'cannot be made',
    remedy: problem?.message.replace(`network ${record.own.name}: `, '') ?? 'this gateway is busy; try again',
  });
}

/**
 * Below what the plugin has for an answer: Docker never comes back to a network that it was refused, so one that were
 * stored after all would stand for ever, with its VNI and its subnet.
 */
async function settledInTime(context: DockerContext): Promise<boolean> {
  const waits = new AbortController();
  const late = sleep(MAKING_MS, false, { signal: waits.signal, ref: false });
  const settled = context.settled().then(() => true);
  return Promise.race([settled, late]).finally(() => {
    waits.abort();
    late.catch(() => {});
  });
}

/** Returns when nothing of the network stands any more. What is unknown is gone already. */
export async function deleteNetwork(context: DockerContext, id: string): Promise<void> {
  const { networks, endpoints } = context.records;
  const record = networks.get(id);
  if (record === undefined) return;
  for (const endpoint of endpoints.list()) if (endpoint.network === id) endpoints.remove(endpoint.id);
  networks.remove(id);
  if ('own' in record) await context.settled();
}

/** Two networks that cannot stand beside each other; what the host itself forbids the driver says. */
function refuseClash(context: DockerContext, wanted: Network): void {
  const docker = context.records.networks.list().flatMap((record) => ('own' in record ? [record.own] : []));
  for (const other of [...context.document().networks, ...docker]) {
    if (other.name === wanted.name) continue;
    const reason = clash(wanted, other);
    if (reason === undefined) continue;
    const join = docker.includes(other) ? '' : `, or join that network with -o network=${other.name}`;
    throw new LinkspanError({
      code: 'network_clash',
      object: 'the new network',
      reason,
      remedy: `give it another${join}`,
    });
  }
}

function clashOnWire(wanted: SiteNetwork, other: SiteNetwork): string | undefined {
  const kind = parentClash(wanted, other);
  if (kind === undefined) return undefined;
  const { driver, mode } = other;
  return `parent ${wanted.uplink.interface} carries network ${other.name} (${driver}, mode ${mode}), and takes no other ${kind} beside it`;
}

function clash(wanted: Network, other: Network): string | undefined {
  if (wanted.driver === 'overlay' && other.driver === 'overlay' && wanted.vni === other.vni) {
    return `VNI ${wanted.vni} is network ${other.name}'s already`;
  }
  // Networks on one wire share its subnet; each of the others has its own.
  if (isSite(wanted) && isSite(other)) return wireOf(wanted) === wireOf(other) ? clashOnWire(wanted, other) : undefined;
  for (const subnet of wanted.subnets) {
    const taken = other.subnets.find((prefix) => prefix.family === subnet.family && overlaps(prefix, subnet));
    if (taken) return `subnet ${formatIpPrefix(subnet)} overlaps ${formatIpPrefix(taken)} of network ${other.name}`;
  }
  return undefined;
}
