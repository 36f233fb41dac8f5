import type { ChildAttachment } from '../drivers/attachment.ts';
import type { EndpointSpec } from '../drivers/driver.ts';
import { type InterfaceState, readInterface, restoreInterface } from '../host/interface-state.ts';
import { type ObservedLink, readLinks } from '../host/links.ts';
import { ipBatch } from '../host/run.ts';
import { sandboxPath } from '../model/network.ts';
import { LinkspanError } from '../service/errors.ts';
import { announce } from './announce.ts';
import { addChild, limitSegments } from './child.ts';
import { UndoStack } from './undo.ts';

/** A workload's interface while it changes its parent. */
type Moved = {
  readonly spec: EndpointSpec;
  readonly sandbox: string;
  /** with the memo of what was set, which is set again */
  readonly alias: string;
  readonly state: InterfaceState;
};

/**
 * Makes a workload's interface anew on another parent, in place: same name, same MAC, and every address and route on
 * it, the workload's own too, so that its connections live through it. What goes with an interface for good are the
 * sockets bound to it by name, the groups joined on it, and settings under /proc/sys/net.
 * @param from the parent so far, to which the interface goes back where the move fails; undefined: it is gone
 * @throws CommandError of the step that failed
 */
export async function move(spec: EndpointSpec, to: ChildAttachment, from: string | undefined): Promise<void> {
  const undo = new UndoStack();
  const { temporary } = spec;
  const { interface: name } = spec.endpoint;
  const sandbox = sandboxPath(spec.endpoint.sandbox);
  const moved = await prepare(spec, sandbox);
  let lost: readonly string[];
  try {
    await make(moved, to, undo);
    await ipBatch([`link del dev ${name}`], sandbox);
    undo.push('the interface as it was', () => putBack(moved, to, from));
    await ipBatch([`link set dev ${temporary} name ${name}`], sandbox);
    lost = await restoreInterface(sandbox, name, moved.state);
    // Not up is not moved: the new parent may have a child of that MAC already.
    if (lost.some((line) => line.startsWith('link set'))) throw incomplete(spec, to, lost);
  } catch (error) {
    await undo.rollBack();
    throw error;
  }
  announce(sandbox, spec, name);
  if (lost.length > 0) throw incomplete(spec, to, lost);
}

/** Reads what stands on the interface, and clears away what a move that was killed left behind. */
async function prepare(spec: EndpointSpec, sandbox: string): Promise<Moved> {
  const { interface: name } = spec.endpoint;
  const [links, state] = await Promise.all([readLinks(sandbox), readInterface(sandbox, name)]);
  const left = links.find((link) => link.name === spec.temporary);
  // The undo deletes by that name, and must never meet what is not ours.
  if (left !== undefined && !left.ours) throw foreign(spec, left);
  if (left !== undefined) await ipBatch([`link del dev ${spec.temporary}`], sandbox);
  const alias = links.find((link) => link.name === name)?.alias ?? spec.alias;
  return { spec, sandbox, alias, state };
}

/** The new link, in the sandbox, down, under its temporary name. */
async function make({ spec, sandbox, alias }: Moved, to: ChildAttachment, undo: UndoStack): Promise<void> {
  const { temporary, mac, mtu } = spec;
  await addChild(temporary, to, mac, mtu);
  undo.push('link in the host', () => ipBatch([`link del dev ${temporary}`]));
  await limitSegments(temporary, to);
  undo.push('link on its way', () => ipBatch([`link del dev ${temporary}`], sandbox));
  await ipBatch([`link set dev ${temporary} alias "${alias}"`, `link set dev ${temporary} netns ${sandbox}`]);
}

/** The old link is deleted, the new one cannot take its place: a child of the old parent, with all that stood on it. */
async function putBack(moved: Moved, to: ChildAttachment, from: string | undefined): Promise<void> {
  const { spec, sandbox, state } = moved;
  const { interface: name } = spec.endpoint;
  // The new link has its own name by now, or still the temporary one.
  await ipBatch([`link del dev ${spec.temporary}`], sandbox).catch(() => ipBatch([`link del dev ${name}`], sandbox));
  if (from === undefined) return;
  await make(moved, { ...to, parent: from }, new UndoStack());
  await ipBatch([`link set dev ${spec.temporary} name ${name}`], sandbox);
  await restoreInterface(sandbox, name, state);
}

function foreign(spec: EndpointSpec, { name }: ObservedLink): LinkspanError {
  return new LinkspanError({
    code: 'name_taken',
    object: spec.object,
    reason: `in its namespace there is an interface ${name}, which is not Linkspan's`,
    remedy: `rename or delete ${name}`,
  });
}

function incomplete(spec: EndpointSpec, to: ChildAttachment, lost: readonly string[]): LinkspanError {
  return new LinkspanError({
    code: 'state_lost',
    object: spec.object,
    reason: `moved to ${to.parent}, but the kernel did not take again: ${lost.join(', ')}`,
    remedy: 'set it again in the workload',
  });
}
