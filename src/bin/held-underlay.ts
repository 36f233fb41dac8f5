import type { DatapathState, OwnVtep } from '../datapath/state.ts';
import { closeUnderlay, joinGroup, openUnderlay, type OpenUnderlay } from '../host/underlay.ts';
import { messageOf } from '../service/errors.ts';
import type { Log } from '../service/log.ts';

type Held = { readonly vtep: OwnVtep; readonly open: OpenUnderlay; readonly groups: Set<string> };

/** The underlay's sockets that the process holds, and the groups that they have joined; or why there are none. */
export class HeldUnderlay {
  readonly #log: Log;
  #held: Held | undefined;
  #problem: string | null = null;

  constructor(log: Log) {
    this.#log = log;
  }

  get open(): OpenUnderlay | undefined {
    return this.#held?.open;
  }

  get problem(): string | null {
    return this.#problem;
  }

  /**
   * Opens what the state needs: one without networks needs no socket, and leaves the port to the kernel's own vxlan.
   * Returns the sockets that are not used any more, to be closed once no thread works with them.
   */
  bring({ vtep, networks }: DatapathState): OpenUnderlay | undefined {
    const before = this.#held;
    const goesOn = before !== undefined && networks.length > 0 && serves(before, vtep);
    const problem = this.#problem;
    this.#problem = null;
    this.#held = goesOn ? { ...before, vtep } : undefined;
    if (!goesOn && networks.length > 0) this.#open(vtep, problem);
    for (const { group } of networks) if (group !== null) this.#join(group, problem);
    return goesOn ? undefined : before?.open;
  }

  close(): void {
    if (this.#held !== undefined) closeUnderlay(this.#held.open);
  }

  #open(vtep: OwnVtep, before: string | null): void {
    try {
      this.#held = { vtep, open: openUnderlay(vtep), groups: new Set() };
    } catch (error) {
      this.#complain(messageOf(error), before);
    }
  }

  #join(group: string, before: string | null): void {
    if (this.#held === undefined || this.#held.groups.has(group)) return;
    try {
      joinGroup(this.#held.open, this.#held.vtep, group);
      this.#held.groups.add(group);
    } catch (error) {
      const remedy = "see that the underlay's interface is there and can multicast";
      this.#complain(`multicast group ${group}: ${messageOf(error)}; ${remedy}`, before);
    }
  }

  /** Logged once, however often it is tried again. */
  #complain(problem: string, before: string | null): void {
    if (problem !== before) this.#log.error(problem);
    this.#problem = problem;
  }
}

/** Sockets bound to an address go on wherever it moves; a group stays on the interface on which it was joined. */
function serves({ vtep, groups }: Held, wanted: OwnVtep): boolean {
  const onIt = vtep.ifindex === wanted.ifindex || groups.size === 0;
  return vtep.ip === wanted.ip && vtep.port === wanted.port && onIt;
}
