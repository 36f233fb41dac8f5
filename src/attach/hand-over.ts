import { type EndpointSpec, memoOf, ON_LINK } from '../drivers/driver.ts';
import { splitAlias, withMemo } from '../drivers/naming.ts';
import type { ObservedLink } from '../host/links.ts';
import { ipBatch } from '../host/run.ts';
import { readSandbox } from '../host/sandbox.ts';
import { formatIpPrefix, type IpPrefix } from '../model/ip.ts';
import { sandboxPath } from '../model/network.ts';
import { announce } from './announce.ts';
import { addressLines, defaultRoute, makeLink } from './link.ts';
import { UndoStack } from './undo.ts';

/**
 * Docker's own default routes have metric 0, or 1024 for IPv6, and it refuses to connect a container that has such a
 * route already. Each interface of ours adds its number, so that none takes another's place.
 */
const BEHIND_DOCKER = 2048;

/**
 * The first half of an attach whose second half is another's: the link stands in the host, down, and Docker moves it
 * into its container's sandbox, names it and gives it its addresses.
 * @returns the link's name in the host
 * @throws CommandError of the step that failed; nothing is left behind
 */
export async function handOver(spec: EndpointSpec): Promise<string> {
  const undo = new UndoStack();
  try {
    await makeLink(spec, undo);
  } catch (error) {
    await undo.rollBack();
    throw error;
  }
  return spec.temporary;
}

/** Takes the link away from a sandbox that Docker has lost. Gone already is what was wanted. */
export async function takeBack(sandbox: string, alias: string): Promise<void> {
  const links = (await readSandbox(sandbox))?.links ?? [];
  const left = links.find((link) => link.ours && splitAlias(link.alias).alias === alias);
  if (left !== undefined) await ipBatch([`link del dev ${left.name}`], sandbox).catch(() => {});
}

/**
 * After Docker has taken the link: as it stands in the sandbox, or undefined while it is not up there. The alias tells
 * it from all others, whatever Docker called it.
 */
export async function linkInSandbox(spec: EndpointSpec): Promise<ObservedLink | undefined> {
  const alias = withMemo(spec.alias, memoOf(spec));
  const sandbox = await readSandbox(sandboxPath(spec.endpoint.sandbox));
  return sandbox?.links.find((link) => link.ours && link.alias === alias && link.up);
}

/**
 * What Docker cannot do: takes away the addresses of its own that the network does not have (`foreign`), gives the
 * network's, makes a way out that names no router (a second one would fail the connect), and tells the wire where they
 * are now. A kill may have left it half done, so only what is missing is done.
 */
export async function complete(spec: EndpointSpec, have: ObservedLink, foreign: readonly IpPrefix[]): Promise<void> {
  const sandbox = sandboxPath(spec.endpoint.sandbox);
  const { name } = have;
  const wrong = foreign.map((address) => formatIpPrefix(address)).filter((text) => have.addresses.includes(text));
  const missing = spec.endpoint.addresses.filter((address) => !have.addresses.includes(formatIpPrefix(address)));
  const routers = spec.gateways.filter((router) => foreign.length > 0 || ON_LINK.includes(router));
  const lines = [
    ...wrong.map((address) => `address del ${address} dev ${name}`),
    ...(foreign.length > 0 ? addressLines(missing, name) : []),
    ...routers.map((router) => `${defaultRoute(router, name)} metric ${BEHIND_DOCKER + have.index}`),
  ];
  if (lines.length > 0) await ipBatch(lines, sandbox);
  announce(sandbox, spec, name);
}
