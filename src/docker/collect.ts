import { isNamespace } from '../host/sandbox.ts';
import type { DockerEndpoint } from '../model/docker.ts';
import type { Container } from './container.ts';
import type { DockerContext } from './context.ts';
import { deleteEndpoint } from './joining.ts';
import { deleteNetwork } from './networks.ts';

/** Docker makes an endpoint before its container runs, and takes it away after; a network before it lists it. */
const MISSED_MS = 60_000;

/**
 * Forgets endpoints whose container is gone without a word, and networks that Docker never came to know: a dockerd that was killed never says what it has lost. It is
 * asked out of band, since a plugin that asks Docker while it answers Docker stands still with it.
 */
export class Collector {
  readonly #context: DockerContext;
  /** by id: since when no running container has had the endpoint, or the engine the network, in monotonic milliseconds */
  readonly #missed = new Map<string, number>();

  constructor(context: DockerContext) {
    this.#context = context;
  }

  /** After a whole look at the engine: the containers that run there, and the ids of its networks. */
  async collect(running: Iterable<Container>, networks: ReadonlySet<string>, now: number): Promise<void> {
    const { records } = this.#context;
    const alive = new Set(networks);
    for (const { endpoints } of running) for (const id of endpoints.keys()) alive.add(id);
    const missing = <T extends { readonly id: string }>(all: readonly T[]): readonly T[] =>
      all.filter(({ id }) => !alive.has(id));
    const endpoints = missing(records.endpoints.list());
    const lost = missing(records.networks.list());
    const ids = new Set([...endpoints, ...lost].map(({ id }) => id));
    for (const id of this.#missed.keys()) if (!ids.has(id)) this.#missed.delete(id);
    for (const record of endpoints) if (this.#isDead(record, now)) await deleteEndpoint(this.#context, record.id);
    // Docker tells a driver of a network before it writes that down, and never again.
    for (const { id } of lost) if (this.#isLongMissed(id, now)) await deleteNetwork(this.#context, id);
  }

  /** Where it has been in a sandbox and that is gone there is nothing to wait for. */
  #isDead({ id, sandbox, interface: name }: DockerEndpoint, now: number): boolean {
    const left = sandbox !== undefined && name !== undefined && !isNamespace(sandbox);
    return this.#isLongMissed(id, now) || left;
  }

  #isLongMissed(id: string, now: number): boolean {
    const since = this.#missed.get(id) ?? now;
    this.#missed.set(id, since);
    return now - since >= MISSED_MS;
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
