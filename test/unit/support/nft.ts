import type { ObservedTable } from '../../../src/host/firewall.ts';
import type { GuardHooks, GuardKey, ObservedGuards } from '../../../src/host/guard-tables.ts';
import type { FirewallMemory, Step } from '../../../src/reconcile/plan.ts';

/** The tables of the guards as the kernel would hold them. */
export class GuardTables {
  hooks: GuardHooks = 'both';
  tables: ReadonlyMap<GuardKey, string> = new Map();

  observe(): ObservedGuards {
    return { hooks: this.hooks, tables: this.tables };
  }

  /** What is remembered of it; a table for a device that is not there is refused. */
  apply(
    { table, body }: Extract<Step, { kind: 'guards.apply' }>,
    devices: ReadonlySet<string>,
    memory: FirewallMemory,
  ): FirewallMemory {
    for (const [, device = ''] of body.matchAll(/device "([^"]+)"/g))
      if (!devices.has(device)) throw new Error(`No such file or directory: ${device}`);
    const fingerprint = `listing of ${body}`;
    const others = [...this.tables].filter(([key]) => key !== table);
    this.tables = new Map(body === '' ? others : [...others, [table, fingerprint]]);
    const { [table]: _, ...rest } = memory;
    return body === '' ? rest : { ...rest, [table]: { body, fingerprint } };
  }
}

/** What nft lists of a body of ours: its chains, and the elements of its sets and maps. */
export function tableOf(body: string, fingerprint: string): ObservedTable {
  const chains = [...body.matchAll(/chain (\w+)/g)].map((match) => match[1] ?? '');
  const sets = [...body.matchAll(/(?:set|map) (\w+) \{\n.*\n(?: *elements = \{ (.*) \}\n)?/g)];
  const elements = sets.map(([, name = '', held = '']) => [name, new Map(held.split(', ').map(parted))] as const);
  return { fingerprint, chains, elements: new Map(elements) };
}

function parted(element: string): [string, string] {
  const [key = '', value = ''] = element.split(' : ').map((part) => part.replaceAll('"', '').split(' . ').join(' '));
  return [key, value];
}
