import { setTimeout as sleep } from 'node:timers/promises';
import type { DhcpEvent } from '../ipam/dhcp-event.ts';
import type { DhcpIdentity } from '../ipam/dhcp-identity.ts';
import { parseLease } from '../ipam/dhcp-lease.ts';
import type { DhcpLease } from '../model/dhcp.ts';
import type { Mac } from '../model/mac.ts';
import type { MacvlanMode } from '../model/network.ts';
import { visible } from '../model/text.ts';
import { failed, unusable } from './dhcp-failures.ts';
import { Patience } from './dhcp-patience.ts';
import { OUR_GROUP } from './links.ts';
import { ipBatch } from './run.ts';
import { Udhcpc } from './udhcpc.ts';

/** At random, since those who were offered one address together are refused together; udhcpc itself waits for 3 s. */
const REFUSED_PAUSE_MS = 400;

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

/**
 * RFC 2131 3.1.5: who is refused begins anew. A server that chooses by a hash of the MAC (dnsmasq) offers one free
 * address to several that ask together, and refuses all but the first to take it.
 */
async function firstLease(request: DhcpRequest, place: DhcpRequestPlace, signal: AbortSignal): Promise<DhcpLease> {
  const patience = new Patience(request, place.timeout);
  const either = AbortSignal.any([signal, patience.signal]);
  try {
    for (let { requested } = request; ; requested = undefined) {
      const answer = await askOnce({ ...request, requested }, place, { patience, signal: either });
      if (typeof answer !== 'string') return answer;
      patience.refusal = answer;
      await sleep(Math.random() * REFUSED_PAUSE_MS, undefined, { signal: either }).catch(() => either.throwIfAborted());
    }
  } finally {
    patience.end();
  }
}

type Asking = { readonly patience: Patience; readonly signal: AbortSignal };

/** @returns the lease, or the server's words where it refused one */
async function askOnce(
  request: DhcpRequest,
  { namespace, name, hook, now }: DhcpRequestPlace,
  { patience, signal }: Asking,
): Promise<DhcpLease | string> {
  const { promise, resolve, reject } = Promise.withResolvers<DhcpLease | string>();
  const receive = ({ name: event, variables }: DhcpEvent): void => {
    if (event === 'deconfig') patience.asked();
    if (event === 'nak') resolve(visible(variables['message'] ?? '').slice(0, 100));
    if (event !== 'bound') return;
    const read = parseLease(variables, now());
    if ('lease' in read) resolve(read.lease);
    else reject(unusable(request, read.unusable));
  };
  const { identity, requested } = request;
  const client = new Udhcpc({ namespace, interface: name, identity, requested, once: true, hook }, receive);
  const giveUp = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', giveUp);
  void client.exited.then((words) => reject(failed(request, words)));
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', giveUp);
    await client.end();
  }
}
