import type { DhcpEvent } from '../ipam/dhcp-event.ts';
import type { DhcpIdentity } from '../ipam/dhcp-identity.ts';
import { parseLease } from '../ipam/dhcp-lease.ts';
import type { DhcpLease } from '../model/dhcp.ts';
import type { Mac } from '../model/mac.ts';
import type { MacvlanMode } from '../model/network.ts';
import { visible } from '../model/text.ts';
import { LinkspanError } from '../service/errors.ts';
import { OUR_GROUP } from './links.ts';
import { ipBatch } from './run.ts';
import { Udhcpc } from './udhcpc.ts';

export type DhcpRequest = {
  /** interface of the own namespace: the uplink or its VLAN link */
  readonly parent: string;
  readonly mode: MacvlanMode;
  /** the endpoint's own; no interface of this MAC may be up on the parent meanwhile */
  readonly mac: Mac;
  readonly identity: DhcpIdentity;
  /** the address to ask for; the server may give another */
  readonly requested?: string | undefined;
};

export type DhcpRequestPlace = {
  /** path of a network namespace without addresses */
  readonly namespace: string;
  /** of an interface there */
  readonly name: string;
  readonly hook: string;
  /** milliseconds to wait for a lease once the client asks */
  readonly timeout: number;
  /** milliseconds since 1970 */
  readonly now: () => number;
};

/**
 * Asks for a lease on a macvlan child that stands in the given namespace only as long as this takes.
 *
 * @throws LinkspanError `dhcp_no_answer`, `dhcp_refused`, `dhcp_unusable` or `dhcp_client_failed`; CommandError where
 *   the child cannot be made; the signal's reason where that aborts
 */
export async function requestLease(
  request: DhcpRequest,
  place: DhcpRequestPlace,
  signal: AbortSignal,
): Promise<DhcpLease> {
  const { namespace, name } = place;
  signal.throwIfAborted();
  const made = `link add link ${request.parent} name ${name} netns ${namespace} address ${request.mac}`;
  await ipBatch([`${made} group ${OUR_GROUP} type macvlan mode ${request.mode}`]);
  try {
    await bringUp(name, namespace);
    return await firstLease(request, place, signal);
  } finally {
    await ipBatch([`link del dev ${name}`], namespace);
  }
}

/** Without an address of any kind, so that the kernel says nothing on it; a kernel without IPv6 makes none anyway. */
async function bringUp(name: string, namespace: string): Promise<void> {
  const up = `link set dev ${name} up`;
  await ipBatch([`link set dev ${name} addrgenmode none`, up], namespace).catch(() => ipBatch([up], namespace));
}

async function firstLease(request: DhcpRequest, place: DhcpRequestPlace, signal: AbortSignal): Promise<DhcpLease> {
  const { promise, resolve, reject } = Promise.withResolvers<DhcpLease>();
  let refusal: string | undefined;
  // Many clients at once on a small gateway start slowly; the server's time counts from the first question on.
  const slow = (): void => reject(failed(request, 'it did not start in time'));
  const timers = [setTimeout(slow, 2 * place.timeout)];
  const receive = ({ name, variables }: DhcpEvent): void => {
    if (name === 'deconfig') timers.push(setTimeout(() => reject(noLease(request, place, refusal)), place.timeout));
    if (name === 'nak') refusal = visible(variables['message'] ?? '').slice(0, 100);
    if (name !== 'bound') return;
    const read = parseLease(variables, place.now());
    if ('lease' in read) resolve(read.lease);
    else reject(unusable(request, read.unusable));
  };
  const { identity, requested } = request;
  const { namespace, name, hook } = place;
  const client = new Udhcpc({ namespace, interface: name, identity, requested, once: true, hook }, receive);
  const giveUp = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', giveUp);
  void client.exited.then((words) => reject(failed(request, words)));
  try {
    return await promise;
  } finally {
    timers.forEach(clearTimeout);
    signal.removeEventListener('abort', giveUp);
    await client.end();
  }
}

function noLease(request: DhcpRequest, { timeout }: DhcpRequestPlace, refusal: string | undefined): LinkspanError {
  const within = `within ${timeout / 1000} s`;
  const { code, reason } =
    refusal === undefined
      ? { code: 'dhcp_no_answer', reason: `no DHCP server gave ${request.mac} an address ${within}` }
      : { code: 'dhcp_refused', reason: `a DHCP server refused ${request.mac} ${within}, saying "${refusal}"` };
  const remedy =
    'check that a DHCP server with free addresses serves this VLAN and that the switch port admits this MAC, or give the workload an "address"';
  return new LinkspanError({ code, object: `DHCP on ${request.parent}`, reason, remedy });
}

function unusable(request: DhcpRequest, reason: string): LinkspanError {
  const remedy = 'correct that DHCP server, or find the one that does not belong on this VLAN';
  return new LinkspanError({ code: 'dhcp_unusable', object: `DHCP on ${request.parent}`, reason, remedy });
}

function failed(request: DhcpRequest, words: string): LinkspanError {
  const reason = `the DHCP client failed: ${visible(words) || 'it said nothing'}`;
  const remedy = 'install busybox with udhcpc, and util-linux';
  return new LinkspanError({ code: 'dhcp_client_failed', object: `DHCP on ${request.parent}`, reason, remedy });
}
