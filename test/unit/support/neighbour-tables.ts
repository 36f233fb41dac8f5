import type { ObservedNeighbours } from '../../../src/host/neighbour-tables.ts';
import type { ObservedLink } from '../../../src/host/links.ts';
import type { Neighbour } from '../../../src/model/peer.ts';
import type { Observation } from '../../../src/reconcile/observe.ts';
import type { Step } from '../../../src/reconcile/plan.ts';

/** The tables that answer for neighbours as the kernel would hold them; what goes wrong in a batch is an error. */
export class NeighbourTables {
  /** whether the kernel takes the rules at all */
  possible = true;
  readonly tables = new Map<string, ObservedNeighbours>();

  /** A port that is gone has taken the rules with it. */
  observe(links: readonly ObservedLink[]): Pick<Observation, 'neighbours' | 'answers'> {
    const names = new Set(links.map(({ name }) => name));
    for (const [port, { rows }] of this.tables)
      if (!names.has(port)) this.tables.set(port, { answerer: undefined, rows });
    return { neighbours: new Map(this.tables), answers: this.possible };
  }

  run(step: Step, links: readonly ObservedLink[]): void {
    if (step.kind === 'neighbours.clear') this.tables.delete(step.port);
    else if (step.kind === 'neighbours.sync') this.#sync(step, links);
  }

  #sync(
    { port, answerer, whole, add, remove }: Extract<Step, { kind: 'neighbours.sync' }>,
    links: readonly ObservedLink[],
  ): void {
    if (!links.some(({ name }) => name === port)) throw new Error(`No such file or directory: ${port}`);
    const index = links.find(({ name }) => name === answerer)?.index;
    if (index === undefined) throw new Error(`No such device: ${answerer}`);
    const held = whole ? [] : (this.tables.get(port)?.rows ?? []);
    const gone = (ip: string): boolean => remove.some((row) => row.ip === ip);
    for (const { ip } of remove) if (!held.some((row) => row.ip === ip)) throw new Error(`ENOENT: ${ip}`);
    const rows: readonly Neighbour[] = [...held.filter(({ ip }) => !gone(ip)), ...add];
    if (new Set(rows.map(({ ip }) => ip)).size !== rows.length) throw new Error('EEXIST');
    this.tables.set(port, { answerer: index, rows });
  }
}
