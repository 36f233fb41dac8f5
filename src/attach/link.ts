import { type EndpointSpec, memoOf } from '../drivers/driver.ts';
import { withMemo } from '../drivers/naming.ts';
import { OUR_GROUP, setPort } from '../host/links.ts';
import { CommandError, ipBatch } from '../host/run.ts';
import { formatIpPrefix } from '../model/ip.ts';
import { addMacvlan, limitSegments } from './macvlan.ts';
import type { UndoStack } from './undo.ts';

/**
 * Makes the workload's interface in the host, down, under its temporary name and marked as ours.
 * @throws CommandError, with nothing of it left once `undo` is rolled back
 */
export async function makeLink(spec: EndpointSpec, undo: UndoStack): Promise<void> {
  const { temporary } = spec;
  const remove = (): Promise<void> => ipBatch([`link del dev ${temporary}`]);
  await ipBatch(linkLines(spec)).catch((error: unknown) => {
    // The first line makes it; had that failed, the name might be a foreign interface's.
    if (error instanceof CommandError && (error.line ?? 1) > 1) undo.push('link in the host', remove);
    throw error;
  });
  undo.push('link in the host', remove);
  if (spec.attachment.type === 'macvlan') await limitSegments(temporary, spec.attachment);
}

/** The first makes the link, the others say what it is: one process for all of it. */
function linkLines(spec: EndpointSpec): readonly string[] {
  const { attachment, temporary, mtu } = spec;
  const alias = `link set dev ${temporary} alias "${withMemo(spec.alias, memoOf(spec))}"`;
  if (attachment.type === 'macvlan') {
    return [addMacvlan(temporary, attachment, spec.mac, mtu), alias];
  }
  const address = spec.mac === undefined ? '' : ` address ${spec.mac}`;
  const common = `name ${temporary}${address} mtu ${mtu} group ${OUR_GROUP}`;
  const { hostEnd } = spec;
  return [
    `link add ${common} type veth peer name ${hostEnd} mtu ${mtu} group ${OUR_GROUP}`,
    alias,
    `link set dev ${hostEnd} alias "${spec.alias}"`,
    `link set dev ${hostEnd} master ${attachment.bridge}`,
    // Before it is up: at no moment does a frame pass that shall not.
    ...(spec.port === undefined ? [] : [setPort(hostEnd, spec.port)]),
    `link set dev ${hostEnd} up`,
  ];
}

/**
 * `nodad`: an endpoint's addresses were checked for duplicates, and duplicate address detection would keep an IPv6
 * address unusable for its first second.
 */
export function addressLines({ endpoint }: EndpointSpec, name: string): readonly string[] {
  return endpoint.addresses.map(
    (address) => `address add ${formatIpPrefix(address)} dev ${name}${address.family === 6 ? ' nodad' : ''}`,
  );
}

export function routeLines({ gateways }: EndpointSpec, name: string): readonly string[] {
  return gateways.map((gateway) => `route replace default via ${gateway} dev ${name}`);
}
