import { setTimeout as sleep } from 'node:timers/promises';
import { complete, linkInSandbox } from '../attach/hand-over.ts';
import { messageOf } from '../service/errors.ts';
import { hasInterface } from '../host/interfaces.ts';
import type { DockerContext } from './context.ts';
import { specOf } from './joining.ts';

/** Docker tells nobody when it has taken a link: a question to the kernel costs microseconds. */
const POLL_MS = 10;
/**
 * From when a link leaves the host until Docker has set it up: the kernel alone takes 13 ms to move it. Whoever looks
 * sooner finds nothing, and holds up Docker, which asks for more meanwhile.
 */
const MOVING_MS = 30;
/** One that has not come by then waits for something slow, an image's store say. */
const SOON_MS = 5000;
const LATE_POLL_MS = 250;

/** Without a signal, whose listeners cost more than all the rest of a look at the host. */
function pause(ms: number): Promise<void> {
  return sleep(ms, undefined, { ref: false });
}

/** Waits for each link that was handed to Docker to appear in its sandbox, completes it there and remembers its name. */
export class Arrivals {
  readonly #context: DockerContext;
  /** by endpoint: ends the wait */
  readonly #waits = new Map<string, AbortController>();

  constructor(context: DockerContext) {
    this.#context = context;
  }

  /** After a restart: Docker may have taken the links, or be about to, without anybody looking. */
  resume(): void {
    for (const { id, sandbox, interface: name } of this.#context.records.endpoints.list()) {
      if (sandbox !== undefined && name === undefined) this.watch(id);
    }
  }

  watch(endpoint: string): void {
    this.forget(endpoint);
    const wait = new AbortController();
    this.#waits.set(endpoint, wait);
    void this.#arrive(endpoint, wait.signal)
      .catch((error: unknown) => {
        if (!wait.signal.aborted) this.#complain(endpoint, error);
      })
      .finally(() => {
        if (this.#waits.get(endpoint) === wait) this.#waits.delete(endpoint);
      });
  }

  /** It has left: seen in its sandbox a moment ago, it must not be taken for one that has come. */
  forget(endpoint: string): void {
    this.#waits.get(endpoint)?.abort();
    this.#waits.delete(endpoint);
  }

  stop(): void {
    for (const endpoint of this.#waits.keys()) this.forget(endpoint);
  }

  #complain(endpoint: string, error: unknown): void {
    this.#context.log(`endpoint ${endpoint.slice(0, 12)}: ${messageOf(error)}`);
  }

  async #arrive(id: string, signal: AbortSignal): Promise<void> {
    const { endpoints, networks } = this.#context.records;
    const joined = endpoints.get(id);
    const network = joined && networks.get(joined.network);
    if (joined === undefined || network === undefined) return;
    const spec = await specOf(this.#context, joined, network);
    // What Docker could not set is waited for inside.
    let moving = joined.foreign.length === 0;
    for (let waited = 0; ; waited += POLL_MS) {
      await pause(waited < SOON_MS ? POLL_MS : LATE_POLL_MS);
      if (signal.aborted || endpoints.get(id)?.sandbox !== joined.sandbox) return;
      if (hasInterface(spec.temporary)) continue;
      if (moving) await pause(MOVING_MS);
      moving = false;
      // A look that fails is repeated.
      const link = await linkInSandbox(spec).catch(() => undefined);
      signal.throwIfAborted();
      if (link === undefined) continue;
      // What fails here the cycles try again, and report.
      await complete(spec, link, joined.foreign).catch((error: unknown) => this.#complain(id, error));
      // The engine may have told the container's names meanwhile, and Docker may have taken it away.
      signal.throwIfAborted();
      const record = endpoints.get(id);
      if (record === undefined) return;
      // Last: until then a restart completes it, and no cycle touches it.
      endpoints.put({ ...record, interface: link.name });
      this.#context.wake();
      return;
    }
  }
}
