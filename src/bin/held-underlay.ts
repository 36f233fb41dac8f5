import type { DatapathState, OwnVtep } from '../datapath/state.ts';
import { closeUnderlay, joinGroup, openUnderlay, type OpenUnderlay } from '../host/underlay.ts';
import { messageOf } from '../service/errors.ts';
import type { Log } from '../service/log.ts';

type Held = { readonly vtep: OwnVtep; readonly open: OpenUnderlay; readonly groups: Set<string> };

/** The underlay's sockets that the process holds, and the groups that they have joined; or why there are none. */
export class HeldUnderlay {
  readonly #log: Log;
  #held: Held | undefined;
  /** what keeps it from serving everything, each logged once, however often it is tried again */
  #problems: readonly string[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  get open(): OpenUnderlay | undefined {
    return this.#held?.open;
  }

  get problem(): string | null {
    return this.#problems.length === 0 ? null : this.#problems.join('; ');
  }

  /**
   * Opens what the state needs: one without networks needs no socket, and leaves the port to the kernel's own vxlan.
   * Returns the sockets that are not used any more, to be closed once no thread works with them.
   */
  bring({ vtep, networks }: DatapathState): OpenUnderlay | undefined {
    const before = this.#held;
    const goesOn = before !== undefined && networks.length > 0 && serves(before, vtep);
    this.#held = goesOn ? { ...before, vtep } : undefined;
    const unusable = goesOn || networks.length === 0 ? [] : this.#open(vtep);
    const groups = new Set(networks.flatMap(({ group }) => group ?? []));
    this.#complain([...unusable, ...[...groups].flatMap((group) => this.#join(group))]);
    return goesOn ? undefined : before?.open;
  }

  close(): void {
    if (this.#held !== undefined) closeUnderlay(this.#held.open);
  }

  #open(vtep: OwnVtep): readonly string[] {
    try {
      this.#held = { vtep, open: openUnderlay(vtep), groups: new Set() };
      return [];
    } catch (error) {
      return [messageOf(error)];
    }
  }

  #join(group: string): readonly string[] {
    if (this.#held === undefined || this.#held.groups.has(group)) return [];
    try {
      joinGroup(this.#held.open, this.#held.vtep, group);
      this.#held.groups.add(group);
      return [];
    } catch (error) {
      const remedy = "see that the underlay's interface is there and can multicast";
      return [`multicast group ${group}: ${messageOf(error)}; ${remedy}`];
    }
  }

  #complain(problems: readonly string[]): void {
    for (const problem of problems) if (!this.#problems.includes(problem)) this.#log.error(problem);
    this.#problems = problems;
  }
}

/** Sockets bound to an address go on wherever it moves; a group stays on the interface on which it was joined. */
function serves({ vtep, groups }: Held, wanted: OwnVtep): boolean {
  const onIt = vtep.ifindex === wanted.ifindex || groups.size === 0;
  return vtep.ip === wanted.ip && vtep.port === wanted.port && onIt;
}
