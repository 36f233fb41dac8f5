import { type EndpointSpec, memoOf } from '../drivers/driver.ts';
import { isDigest, splitAlias, withMemo } from '../drivers/naming.ts';
import type { ObservedLink } from '../host/links.ts';
import { formatIpPrefix } from '../model/ip.ts';
import type { Step } from './plan.ts';
import type { Adjustment } from './plan-links.ts';

/** The host's links; `gone` are those that this plan deletes. */
export type Host = { readonly links: readonly ObservedLink[]; readonly gone: ReadonlySet<string> };

/** Why the interface must be made anew, all that the workload set on it lost, or undefined. */
export function incompatible(spec: EndpointSpec, have: ObservedLink, host: Host): string | undefined {
  const { attachment } = spec;
  if (have.name !== spec.endpoint.interface) return `is named ${have.name} and shall be ${spec.endpoint.interface}`;
  if (have.kind !== attachment.type) return `is a ${have.kind} and shall be a ${attachment.type}`;
  if (spec.mac !== undefined && have.mac !== spec.mac) return `has MAC ${have.mac} and shall have ${spec.mac}`;
  const reason = otherMemo(spec, have);
  if (reason !== undefined) return reason;
  if (attachment.type === 'veth') return undefined;
  const parent = host.links.find((link) => link.name === attachment.parent);
  const onIt = have.parent === parent?.index;
  if (onIt && host.gone.has(attachment.parent)) return `goes with ${attachment.parent}, which is made anew`;
  // Such a child has its parent's MAC, so nothing of it can be kept on another.
  if (!onIt && attachment.mode === 'passthru') return `hangs on another interface than ${attachment.parent}`;
  return have.data.mode === attachment.mode
    ? undefined
    : `has mode ${String(have.data.mode)} and shall have ${attachment.mode}`;
}

/** An interface that is right in all but its parent moves: to the network's other engine, or to its new uplink. */
export function moveOf(
  spec: EndpointSpec,
  have: ObservedLink,
  host: readonly ObservedLink[],
): Extract<Step, { kind: 'endpoint.move' }> | undefined {
  const { attachment: to, object } = spec;
  if (to.type === 'veth') return undefined;
  if (have.parent === host.find((link) => link.name === to.parent)?.index) return undefined;
  const from = host.find((link) => link.index === have.parent)?.name;
  return { kind: 'endpoint.move', object, spec, to, from, reason: `hangs on another interface than ${to.parent}` };
}

/** What cannot be changed in place: gateways, and anything at all where the alias has only a digest of what was set. */
function otherMemo(spec: EndpointSpec, have: ObservedLink): string | undefined {
  const { memo } = splitAlias(have.alias);
  const wanted = memoOf(spec);
  if (isDigest(memo))
    return have.alias === withMemo(spec.alias, wanted) ? undefined : 'has other addresses or gateways';
  const gateways = wanted.filter((item) => isGateway(item)).join();
  return memo.filter((item) => isGateway(item)).join() === gateways ? undefined : 'has another gateway';
}

function isGateway(item: string): boolean {
  return item.startsWith('via ');
}

export function drift(spec: EndpointSpec, have: ObservedLink): Adjustment {
  const wanted = spec.endpoint.addresses.map((address) => formatIpPrefix(address));
  const given = splitAlias(have.alias).memo.filter((item) => !isGateway(item));
  const alias = withMemo(spec.alias, memoOf(spec));
  return {
    ...(have.alias === alias ? {} : { alias }),
    ...(have.mtu === spec.mtu ? {} : { mtu: spec.mtu }),
    ...(have.up ? {} : { up: true as const, addDefaults: spec.gateways }),
    addAddresses: wanted.filter((address) => !have.addresses.includes(address)),
    // Addresses that the workload gave itself (a failover pair's, say) are not ours to take away.
    removeAddresses: given.filter((address) => have.addresses.includes(address) && !wanted.includes(address)),
  };
}

export function hostEndDrift(spec: EndpointSpec, host: readonly ObservedLink[]): readonly Step[] {
  if (spec.attachment.type !== 'veth') return [];
  const end = host.find((link) => link.name === spec.hostEnd);
  const { mtu, port } = spec;
  const { bridge: master } = spec.attachment;
  const flags = port !== undefined && (end?.port?.isolated !== port.isolated || end.port.hairpin !== port.hairpin);
  const wrong = end?.ours && (end.master !== master || !end.up || end.mtu !== mtu || flags);
  if (!wrong) return [];
  const changes = { mtu, master, ...(port && { port }), up: true as const, addAddresses: [], removeAddresses: [] };
  return [{ kind: 'link.adjust', object: spec.object, sandbox: undefined, name: spec.hostEnd, changes }];
}
