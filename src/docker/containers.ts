import { setTimeout as sleep } from 'node:timers/promises';
import { askEngine, followEngine } from '../host/docker-engine.ts';
import { messageOf } from '../service/errors.ts';
import { type Container, type EngineNetwork, readContainer, readEvent, readIds, readNetworks } from './container.ts';

/** What may change a container's network, among all that the engine tells. */
const EVENTS = encodeURIComponent(
  JSON.stringify({
    type: ['container', 'network'],
    event: ['start', 'die', 'rename', 'connect', 'disconnect'],
  }),
);
const LISTED_MAX = 10_000;
const AGAIN_MS = { first: 500, most: 10_000 } as const;
const RESYNC_MS = 60_000;

export type ContainersOptions = {
  readonly socket: string;
  /** a container came, went or changed its networks */
  readonly onChange: () => void;
  /** after each look at all of them, with all networks: what is not among them is not there */
  readonly onComplete: (networks: readonly EngineNetwork[]) => void;
  readonly log: (message: string) => void;
};

/**
 * The containers that run, after the engine's events; while the engine is away, those that ran last: they run on.
 * Each connection begins with a look at all of them, and one follows each minute, so no lost event matters for long.
 */
export class Containers {
  readonly #options: ContainersOptions;
  readonly #stop = new AbortController();
  #running = new Map<string, Container>();
  #queue: Promise<void> = Promise.resolve();
  /** whether the engine's events are heard now; one that is away is not asked each minute as well */
  #heard = false;
  /** the last complaint, which is not repeated */
  #said = '';

  constructor(options: ContainersOptions) {
    this.#options = options;
  }

  get running(): ReadonlyMap<string, Container> {
    return this.#running;
  }

  named(name: string): Container | undefined {
    return [...this.#running.values()].find((container) => container.name === name || container.id === name);
  }

  start(): void {
    void this.#follow();
    const timer = setInterval(() => this.#heard && this.#enqueue(() => this.#lookAtAll()), RESYNC_MS);
    timer.unref();
    this.#stop.signal.addEventListener('abort', () => clearInterval(timer));
  }

  stop(): void {
    this.#stop.abort();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    for (let wait: number = AGAIN_MS.first; !signal.aborted; wait = Math.min(wait * 2, AGAIN_MS.most)) {
      const onOpen = (): void => {
        wait = AGAIN_MS.first;
        this.#heard = true;
        this.#said = '';
        this.#enqueue(() => this.#lookAtAll());
      };
      const onLine = (line: string): void => this.#enqueue(() => this.#lookAt(line));
      await followEngine(this.#options.socket, `/events?filters=${EVENTS}`, { onOpen, onLine }, signal).catch(
        (error: unknown) => this.#complain(error),
      );
      this.#heard = false;
      await sleep(wait, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** One look at a time, in the order of the events. */
  #enqueue(work: () => Promise<void>): void {
    this.#queue = this.#queue
      .then(() => (this.#stop.signal.aborted ? undefined : work()))
      .catch((error: unknown) => this.#complain(error));
  }

  #complain(error: unknown): void {
    const message = messageOf(error);
    if (!this.#stop.signal.aborted && message !== this.#said) this.#options.log(message);
    this.#said = message;
  }

  async #lookAtAll(): Promise<void> {
    const ids = readIds(await this.#ask('/containers/json'), LISTED_MAX);
    const networks = readNetworks(await this.#ask('/networks'), LISTED_MAX);
    const found = new Map<string, Container>();
    let complete = true;
    for (const id of ids) {
      const container = await this.#inspect(id);
      if (container === 'unreadable') complete = false;
      else if (container !== undefined) found.set(id, container);
    }
    this.#running = found;
    if (complete) this.#options.onComplete(networks);
    this.#options.onChange();
  }

  async #lookAt(line: string): Promise<void> {
    const event = readEvent(line);
    if (event === undefined) return;
    const container = await this.#inspect(event.container);
    if (container === 'unreadable') return;
    if (container === undefined) this.#running.delete(event.container);
    else this.#running.set(container.id, container);
    this.#options.onChange();
  }

  /** Undefined where it does not run (any more). One odd container must not hide the others. */
  async #inspect(id: string): Promise<Container | 'unreadable' | undefined> {
    const answer = await this.#ask(`/containers/${id}/json`);
    try {
      return answer === undefined ? undefined : readContainer(answer);
    } catch (error) {
      this.#complain(error);
      return 'unreadable';
    }
  }

  #ask(path: string): Promise<unknown> {
    return askEngine(this.#options.socket, path);
  }
}
