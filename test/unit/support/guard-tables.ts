import type { GuardHooks, GuardKey, ObservedGuards } from '../../../src/host/guard-tables.ts';
import type { ObservedLink } from '../../../src/host/links.ts';
import type { FirewallMemory, Step } from '../../../src/reconcile/plan.ts';

/** The tables of the guards as the kernel would hold them. */
export class GuardTables {
  hooks: GuardHooks = 'both';
  tunnel = true;
  tables: ReadonlyMap<GuardKey, string> = new Map();
  cut: ReadonlySet<GuardKey> = new Set();

  observe(): ObservedGuards {
    return { hooks: this.hooks, tunnel: this.tunnel, tables: this.tables, cut: this.cut };
  }

  /** What is remembered of it; a table for a device that is not there is refused. */
  apply(
    { table, body }: Extract<Step, { kind: 'guards.apply' }>,
    links: readonly Pick<ObservedLink, 'name'>[],
    memory: FirewallMemory,
  ): FirewallMemory {
    for (const [, device = ''] of body.matchAll(/device "([^"]+)"/g))
      if (!links.some(({ name }) => name === device)) throw new Error(`No such file or directory: ${device}`);
    const fingerprint = `listing of ${body}`;
    const others = [...this.tables].filter(([key]) => key !== table);
    this.tables = new Map(body === '' ? others : [...others, [table, fingerprint]]);
    const { [table]: _, ...rest } = memory;
    return body === '' ? rest : { ...rest, [table]: { body, fingerprint } };
  }
}
