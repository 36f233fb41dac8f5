import { isNamespace } from '../host/sandbox.ts';
import type { DockerEndpoint } from '../model/docker.ts';
import type { Container, EngineNetwork } from './container.ts';
import type { DockerContext } from './context.ts';
import { deleteEndpoint } from './joining.ts';
import { deleteNetwork } from './networks.ts';

/** Addresses that the IPAM plugin gave to Docker; the store satisfies it. */
export type HeldAddresses = {
  list(): readonly { readonly pool: string; readonly address: string }[];
  remove(pool: string, address: string): void;
};

/** Docker makes an endpoint before its container runs, and takes it away after; a network before it lists it. */
const MISSED_MS = 60_000;

/**
 * Forgets endpoints whose container is gone without a word, networks that Docker never came to know, and addresses that
 * nobody has: a dockerd that was killed never says what it has lost. It is asked out of band, since a plugin that asks
 * Docker while it answers Docker stands still with it.
 */
export class Collector {
  readonly #context: DockerContext;
  readonly #held: HeldAddresses;
  /** by id or address: since when nobody in the engine has had it, in monotonic milliseconds */
  readonly #missed = new Map<string, number>();

  constructor(context: DockerContext, held: HeldAddresses) {
    this.#context = context;
    this.#held = held;
  }

  /** After a whole look at the engine: the containers that run there, and its networks. */
  async collect(containers: Iterable<Container>, networks: readonly EngineNetwork[], now: number): Promise<void> {
    const { records } = this.#context;
    const running = [...containers];
    const alive = new Set([
      ...networks.map(({ id }) => id),
      ...running.flatMap(({ endpoints }) => [...endpoints.keys()]),
    ]);
    const missing = <T extends { readonly id: string }>(all: readonly T[]): readonly T[] =>
      all.filter(({ id }) => !alive.has(id));
    const endpoints = missing(records.endpoints.list());
    const lost = missing(records.networks.list());
    const addresses = this.#unused([...running, ...networks].flatMap((one) => one.addresses));
    const ids = new Set([...[...endpoints, ...lost].map(({ id }) => id), ...addresses.map(({ address }) => address)]);
    for (const id of this.#missed.keys()) if (!ids.has(id)) this.#missed.delete(id);
    for (const record of endpoints) if (this.#isDead(record, now)) await deleteEndpoint(this.#context, record.id);
    // Docker tells a driver of a network before it writes that down, and never again.
    for (const { id } of lost) if (this.#isLongMissed(id, now)) await deleteNetwork(this.#context, id);
    // Docker asks for an address before it writes that down.
    for (const { pool, address } of addresses) if (this.#isLongMissed(address, now)) this.#held.remove(pool, address);
  }

  /** @param used by all that the engine has */
  #unused(used: readonly string[]): ReturnType<HeldAddresses['list']> {
    const known = this.#context.records.endpoints.list().flatMap(({ addresses, foreign }) => addresses.concat(foreign));
    const taken = new Set([...used, ...known.map(({ address }) => address)]);
    return this.#held.list().filter(({ address }) => !taken.has(address));
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
