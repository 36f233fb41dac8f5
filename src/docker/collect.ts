import { isNamespace } from '../host/sandbox.ts';
import type { DockerEndpoint } from '../model/docker.ts';
import type { Container } from './container.ts';
import type { DockerContext } from './context.ts';
import { deleteEndpoint } from './endpoints.ts';

/** Docker makes an endpoint before its container runs, and takes it away after; in between nobody misses it. */
const MISSED_MS = 60_000;

/**
 * Forgets endpoints whose container is gone without a word: a dockerd that was killed never says what it has lost. It is
 * asked out of band, since a plugin that asks Docker while it answers Docker stands still with it.
 */
export class Collector {
  readonly #context: DockerContext;
  /** since when no running container has had the endpoint, in monotonic milliseconds */
  readonly #missed = new Map<string, number>();

  constructor(context: DockerContext) {
    this.#context = context;
  }

  /** After a whole look at the engine. */
  async collect(running: Iterable<Container>, now: number): Promise<void> {
    const alive = new Set<string>();
    for (const { endpoints } of running) for (const id of endpoints.keys()) alive.add(id);
    const records = this.#context.records.endpoints.list();
    for (const id of this.#missed.keys()) if (!records.some((record) => record.id === id)) this.#missed.delete(id);
    for (const record of records) {
      if (alive.has(record.id)) this.#missed.delete(record.id);
      else if (this.#isDead(record, now)) await deleteEndpoint(this.#context, record.id);
    }
  }

  /** Where it has been in a sandbox and that is gone there is nothing to wait for. */
  #isDead({ id, sandbox, interface: name }: DockerEndpoint, now: number): boolean {
    const since = this.#missed.get(id) ?? now;
    this.#missed.set(id, since);
    return now - since >= MISSED_MS || (sandbox !== undefined && name !== undefined && !isNamespace(sandbox));
  }
}

/** Gives each endpoint the names of its container. */
export function takeNames(context: DockerContext, running: Iterable<Container>): void {
  for (const { endpoints } of running) {
    for (const [id, names] of endpoints) {
      const record = context.records.endpoints.get(id);
      if (record === undefined || JSON.stringify(record.names) === JSON.stringify(names)) continue;
      context.records.endpoints.put({ ...record, names });
    }
  }
}
