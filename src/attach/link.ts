import { type EndpointSpec, memoOf, ON_LINK } from '../drivers/driver.ts';
import { withMemo } from '../drivers/naming.ts';
import { OUR_GROUP, setPort } from '../host/links.ts';
import { setAlias } from '../host/rtnetlink.ts';
import { CommandError, ipBatch } from '../host/run.ts';
import { formatIpPrefix, type IpPrefix } from '../model/ip.ts';
import { addChild, limitSegments } from './child.ts';
import type { UndoStack } from './undo.ts';

/**
 * Makes the workload's interface in the host, down, under its temporary name and marked as ours.
 * @throws LinkspanError, with nothing of it left once `undo` is rolled back
 */
export async function makeLink(spec: EndpointSpec, undo: UndoStack): Promise<void> {
  const { attachment, temporary, mac, mtu } = spec;
  const remove = (): Promise<void> => ipBatch([`link del dev ${temporary}`]);
  const alias = withMemo(spec.alias, memoOf(spec));
  if (attachment.type === 'veth') {
    await ipBatch(vethLines(spec, attachment.bridge, alias)).catch((error: unknown) => {
      // The first line makes it; had that failed, the name might be a foreign interface's.
      if (error instanceof CommandError && (error.line ?? 1) > 1) undo.push('link in the host', remove);
      throw error;
    });
    undo.push('link in the host', remove);
    return;
  }
  await addChild(temporary, attachment, mac, mtu);
  undo.push('link in the host', remove);
  await setAlias(temporary, alias);
  await limitSegments(temporary, attachment);
}

/** The first makes both ends, the others say what they are. */
function vethLines({ temporary, hostEnd, mac, mtu, ...spec }: EndpointSpec, bridge: string, alias: string): string[] {
  const address = mac === undefined ? '' : ` address ${mac}`;
  return [
    `link add name ${temporary}${address} mtu ${mtu} group ${OUR_GROUP} type veth peer name ${hostEnd} mtu ${mtu} group ${OUR_GROUP}`,
    `link set dev ${temporary} alias "${alias}"`,
    `link set dev ${hostEnd} alias "${spec.alias}"`,
    `link set dev ${hostEnd} master ${bridge}`,
    // Before it is up: at no moment does a frame pass that shall not.
    ...(spec.port === undefined ? [] : [setPort(hostEnd, spec.port)]),
    `link set dev ${hostEnd} up`,
  ];
}

/**
 * `nodad`: an endpoint's addresses were checked for duplicates, and duplicate address detection would keep an IPv6
 * address unusable for its first second.
 */
export function addressLines(addresses: readonly IpPrefix[], name: string): readonly string[] {
  return addresses.map(
    (address) => `address add ${formatIpPrefix(address)} dev ${name}${address.family === 6 ? ' nodad' : ''}`,
  );
}

export function routeLines({ gateways }: EndpointSpec, name: string): readonly string[] {
  return gateways.map((gateway) => defaultRoute(gateway, name));
}

/** By a router, or where there is none to ask (see ON_LINK) to the link itself. */
export function defaultRoute(gateway: string, name: string): string {
  return ON_LINK.includes(gateway)
    ? `route replace ${gateway}/0 dev ${name}`
    : `route replace default via ${gateway} dev ${name}`;
}
