import { wireUnder } from '../drivers/attachment.ts';
import type { EndpointSpec } from '../drivers/driver.ts';
import { aliasPrefix, splitAlias } from '../drivers/naming.ts';
import type { ObservedLink } from '../host/links.ts';
import { type Sandbox, sandboxPath } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { drift, type Host, hostEndDrift, incompatible, moveOf } from './endpoint-drift.ts';
import type { Intent } from './intend.ts';
import { nameRival } from './name-rival.ts';
import type { Observation } from './observe.ts';
import type { Step } from './plan.ts';
import { hasChanges } from './plan-links.ts';
import { twins } from './twins.ts';

type EndpointsPlan = {
  readonly detach: readonly Step[];
  readonly move: readonly Extract<Step, { kind: 'endpoint.move' }>[];
  readonly attach: readonly Step[];
  readonly waiting: ReadonlyMap<string, Problem>;
};

/** The workloads' interfaces, in their sandboxes. */
export function planEndpoints(
  intent: Intent,
  seen: Observation,
  gateway: string,
  /** links that this plan deletes */
  gone: ReadonlySet<string>,
): EndpointsPlan {
  const detach: Step[] = [...unwanted(intent, seen, gateway)];
  const move: EndpointsPlan['move'][number][] = [];
  const attach: Step[] = [];
  const waiting = new Map<string, Problem>();
  const doubles = twins(intent, seen);
  for (const spec of intent.endpoints) {
    const sandbox = seen.sandboxes.get(sandboxPath(spec.endpoint.sandbox));
    const twin = doubles.get(spec.object);
    const rival = sandbox && nameRival(spec, sandbox, intent, seen);
    if (sandbox === undefined) waiting.set(spec.object, noSandbox(spec));
    else if (lacksLease(spec, sandbox.links)) waiting.set(spec.object, noLease(spec));
    else if (rival !== undefined) waiting.set(spec.object, interfaceTaken(spec, rival));
    else if (twin !== undefined) waiting.set(spec.object, twin);
    else planOne(spec, sandbox.links, { links: seen.links, gone }, { detach, move, attach, waiting });
  }
  return { detach, move, attach, waiting };
}

type Collected = {
  detach: Step[];
  move: EndpointsPlan['move'][number][];
  attach: Step[];
  waiting: Map<string, Problem>;
};

function planOne(spec: EndpointSpec, links: readonly ObservedLink[], host: Host, into: Collected): void {
  const path = sandboxPath(spec.endpoint.sandbox);
  const { object } = spec;
  const own = links.filter((link) => link.ours && splitAlias(link.alias).alias === spec.alias);
  const have = own.find((link) => link.name === spec.endpoint.interface) ?? own[0];
  for (const { name } of own.filter((link) => link !== have)) {
    into.detach.push({
      kind: 'link.delete',
      object,
      sandbox: path,
      name,
      reason: 'left by a move that was interrupted',
    });
  }
  const reason = have === undefined ? undefined : incompatible(spec, have, host);
  const move = have && reason === undefined ? moveOf(spec, have, host.links) : undefined;
  if (move !== undefined) {
    into.move.push(move);
    return;
  }
  if (have !== undefined && reason === undefined) {
    const changes = drift(spec, have);
    if (hasChanges(changes)) into.attach.push({ kind: 'link.adjust', object, sandbox: path, name: have.name, changes });
    into.attach.push(...hostEndDrift(spec, host.links));
    return;
  }
  if (have !== undefined && reason !== undefined) {
    into.detach.push({ kind: 'endpoint.detach', object, sandbox: path, name: have.name, reason });
  }
  into.attach.push({ kind: 'endpoint.attach', object, spec });
}

/** Interfaces of this gateway in a sandbox whose endpoint is gone, or has moved to another sandbox. */
function unwanted(intent: Intent, seen: Observation, gateway: string): readonly Step[] {
  // By inode, since one namespace may be known by a name and by a pid.
  const inodeOf = (path: string): number => seen.sandboxes.get(path)?.inode ?? 0;
  // Waiting (an uplink unplugged, say) is no reason to tear down.
  const wanted = new Set(
    [...intent.endpoints, ...intent.pending].map(
      (spec) => `${inodeOf(sandboxPath(spec.endpoint.sandbox))} ${spec.alias}`,
    ),
  );
  return [...seen.sandboxes].flatMap(([sandbox, observed]) =>
    (observed?.links ?? [])
      .filter((link) => link.ours)
      .map((link) => ({ name: link.name, alias: splitAlias(link.alias).alias }))
      .filter((link) => link.alias.startsWith(`${aliasPrefix(gateway)}endpoint/`))
      .filter((link) => !wanted.has(`${inodeOf(sandbox)} ${link.alias}`))
      .map((link): Step => {
        const object = link.alias.slice(aliasPrefix(gateway).length);
        return { kind: 'endpoint.detach', object, sandbox, name: link.name, reason: 'no longer wanted' };
      }),
  );
}

function noSandbox(spec: EndpointSpec): Problem {
  const { sandbox, workload } = spec.endpoint;
  return {
    path: `/spec/workloads/${workload}/sandbox`,
    code: 'waiting',
    message: `workload ${workload}: ${missing(sandbox)}`,
  };
}

function missing(sandbox: Sandbox): string {
  if (sandbox.kind === 'pid') return `there is no process ${sandbox.pid}; attach it again with its new pid`;
  if (sandbox.kind === 'path') return `its network namespace ${sandbox.path} is gone; start the container again`;
  const { name } = sandbox;
  return sandbox.kind === 'netns'
    ? `network namespace ${name} does not exist; start the workload, or make it with "ip netns add ${name}"`
    : `container ${name} does not run; start it with "docker start ${name}"`;
}

/** A workload starts with its address or not at all; one that is attached already goes on without. */
function lacksLease({ endpoint, alias }: EndpointSpec, links: readonly ObservedLink[]): boolean {
  if (endpoint.addressing !== 'dhcp' || endpoint.addresses.length > 0) return false;
  return !links.some((link) => link.ours && splitAlias(link.alias).alias === alias);
}

function noLease(spec: EndpointSpec): Problem {
  const { workload, network } = spec.endpoint;
  const message = `workload ${workload}: no DHCP server on ${wireUnder(spec.attachment)} has given it an address yet; see that one answers there, or write an "address"`;
  return { path: `/spec/workloads/${workload}/networks/${network}`, code: 'no_lease', message };
}

function interfaceTaken(spec: EndpointSpec, owner: string): Problem {
  const { workload, network, interface: name } = spec.endpoint;
  const message = `workload ${workload}: in its namespace the interface ${name} is ${owner}; name another with "interface"`;
  return { path: `/spec/workloads/${workload}/networks/${network}/interface`, code: 'name_taken', message };
}
