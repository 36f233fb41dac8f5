import { nameProblems, sandboxNames } from '../control/name-views.ts';
import type { RemotesByVni } from '../model/peer.ts';
import type { Problem } from '../model/problem.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import { SandboxResolvers } from '../resolver/sandbox-resolvers.ts';

/** The names of the gateway's workloads, told to each other. */
export class GatewayNames {
  readonly #resolvers: SandboxResolvers;

  /** @param onChange called when other workloads than before have no names, and `cycled` has something new to say */
  constructor(onChange: () => void) {
    this.#resolvers = new SandboxResolvers(onChange);
  }

  /** Takes what a cycle saw; returns by object what is wrong, as far as it is known already. */
  cycled(view: CycleView, remotes: RemotesByVni): ReadonlyMap<string, Problem> {
    this.#resolvers.sync(sandboxNames(view, remotes));
    return nameProblems(view, this.#resolvers.failures);
  }

  close(): Promise<void> {
    return this.#resolvers.close();
  }
}
