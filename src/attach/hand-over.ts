import { type EndpointSpec, memoOf } from '../drivers/driver.ts';
import { splitAlias, withMemo } from '../drivers/naming.ts';
import { ipBatch } from '../host/run.ts';
import { readSandbox } from '../host/sandbox.ts';
import { formatIpPrefix, type IpPrefix } from '../model/ip.ts';
import { sandboxPath } from '../model/network.ts';
import { announce } from './announce.ts';
import { addressLines, makeLink, routeLines } from './link.ts';
import { UndoStack } from './undo.ts';

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
 * After Docker has taken the link: its name in the sandbox, or undefined while it is not up there. The alias tells it
 * from all others, whatever Docker called it.
 */
export async function nameInSandbox(spec: EndpointSpec): Promise<string | undefined> {
  const alias = withMemo(spec.alias, memoOf(spec));
  const sandbox = await readSandbox(sandboxPath(spec.endpoint.sandbox));
  return sandbox?.links.find((link) => link.ours && link.alias === alias && link.up)?.name;
}

/**
 * What Docker cannot do: takes away the addresses of its own that the network does not have (`foreign`), gives the
 * network's, and tells the wire where they are now.
 */
export async function complete(spec: EndpointSpec, name: string, foreign: readonly IpPrefix[]): Promise<void> {
  const sandbox = sandboxPath(spec.endpoint.sandbox);
  if (foreign.length > 0) {
    await ipBatch(
      [
        ...foreign.map((address) => `address del ${formatIpPrefix(address)} dev ${name}`),
        ...addressLines(spec, name),
        ...routeLines(spec, name),
      ],
      sandbox,
    );
  }
  announce(sandbox, { ...spec.endpoint, interface: name }, spec.seenMac);
}
