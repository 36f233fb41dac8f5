import type { EndpointSpec } from '../drivers/driver.ts';
import { splitAlias } from '../drivers/naming.ts';
import type { ObservedSandbox } from '../host/sandbox.ts';
import { sandboxPath } from '../model/network.ts';
import type { Intent } from './intend.ts';
import type { Observation } from './observe.ts';

/**
 * Whose the interface name is that this endpoint wants, or undefined. One namespace may be known by a name and by pids,
 * so no document shows that two of its workloads share it: whoever has the name keeps it, then the document's order.
 */
export function nameRival(
  spec: EndpointSpec,
  sandbox: ObservedSandbox,
  intent: Intent,
  seen: Observation,
): string | undefined {
  const gateway = spec.alias.slice(0, -spec.object.length);
  const held = sandbox.links.find((link) => link.name === spec.endpoint.interface);
  const alias = splitAlias(held?.alias ?? '').alias;
  if (held !== undefined && !held.ours) return "not Linkspan's";
  if (alias !== '' && !alias.startsWith(gateway)) return otherGateways(alias);
  if (alias === spec.alias) return undefined;
  const inode = ({ endpoint }: EndpointSpec): number | undefined =>
    seen.sandboxes.get(sandboxPath(endpoint.sandbox))?.inode;
  const wanting = intent.endpoints.filter(
    (other) => other.endpoint.interface === spec.endpoint.interface && inode(other) === sandbox.inode,
  );
  const first = wanting.find((other) => other.alias === alias) ?? wanting[0];
  return first === undefined || first === spec
    ? undefined
    : `workload ${first.endpoint.workload}'s on ${first.endpoint.network}`;
}

function otherGateways(alias: string): string {
  const name = alias.split(':')[1] ?? '';
  return `gateway ${name}'s (is that this gateway's former name? then run "linkspand --cleanup --gateway ${name}")`;
}
