import { nameProblems, sandboxNames } from '../control/views/name-views.ts';
import type { RemotesByVni } from '../model/peer.ts';
import type { Problem } from '../model/problem.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import { SandboxResolvers } from '../resolver/sandbox-resolvers.ts';

/** The names of the gateway's workloads, told to each other. */
export class GatewayNames {
  readonly #resolvers: SandboxResolvers | undefined;

  /**
   * @param resolvConf where the host's name servers are listed; empty: workloads get no resolver
   * @param onChange called when other workloads than before have no names, and `update` has something new to say
   */
  constructor(resolvConf: string, onChange: () => void) {
    this.#resolvers = resolvConf === '' ? undefined : new SandboxResolvers(resolvConf, onChange);
  }

  /** Takes what the last cycle saw and what the peers say; returns by object what is wrong, as far as that is known. */
  update(view: CycleView, remotes: RemotesByVni): ReadonlyMap<string, Problem> {
    if (this.#resolvers === undefined) return new Map();
    this.#resolvers.sync(sandboxNames(view, remotes));
    return nameProblems(view, this.#resolvers.failures);
  }

  async close(): Promise<void> {
    await this.#resolvers?.close();
  }
}
