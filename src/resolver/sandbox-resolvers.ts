import { setImmediate as nextTurn } from 'node:timers/promises';
import { boundPorts } from '../host/loopback-owners.ts';
import { HostNameservers } from '../host/resolv-conf.ts';
import { watchSandboxes } from '../host/sandbox-watch.ts';
import { DNS_PORT, RESOLVER_ADDRESS } from '../host/resolver-redirect.ts';
import type { SandboxNames } from '../names/sandbox.ts';
import { messageOf } from '../service/errors.ts';
import { Limit } from './limit.ts';
import { SandboxResolver } from './sandbox-resolver.ts';
import { DockerUpstream, HostUpstream } from './upstream.ts';

/** Queries under way to other servers, each with a socket: of all workloads, and of each. */
const [MAX_FORWARDED, MAX_FORWARDED_EACH] = [1024, 256];

type Held = { readonly inode: number; readonly resolver: SandboxResolver };

/** A resolver for each workload that is to have one. */
export class SandboxResolvers {
  readonly #host: HostUpstream;
  readonly #limit = new Limit(MAX_FORWARDED, MAX_FORWARDED_EACH);
  readonly #held = new Map<string, Held>();
  readonly #failures = new Map<string, string>();
  readonly #onFailures: () => void;
  readonly #watch: { close(): void };
  #wanted: ReadonlyMap<string, SandboxNames> = new Map();
  #opening: Promise<void> | undefined;

  /**
   * @param resolvConf where the host's name servers are listed
   * @param onFailures called when `failures` has changed
   */
  constructor(resolvConf: string, onFailures: () => void) {
    this.#host = new HostUpstream(new HostNameservers(resolvConf));
    this.#onFailures = onFailures;
    const inodes = (): Iterable<readonly [string, number]> =>
      [...this.#held].map(([path, { inode }]) => [path, inode] as const);
    this.#watch = watchSandboxes(inodes, (path) => this.#drop(path));
  }

  /** By the namespace's path: why it has no resolver. Tried again at each `sync`. */
  get failures(): ReadonlyMap<string, string> {
    return this.#failures;
  }

  /** Takes what shall be. What resolvers may tell changes at once; new ones come about one after the other. */
  sync(wanted: readonly SandboxNames[]): void {
    this.#wanted = new Map(wanted.map((sandbox) => [sandbox.path, sandbox]));
    for (const [path, { inode, resolver }] of this.#held) {
      const sandbox = this.#wanted.get(path);
      if (sandbox?.inode === inode) resolver.setNames(sandbox.names);
      else this.#drop(path);
    }
    for (const path of this.#failures.keys()) if (!this.#wanted.has(path)) this.#failures.delete(path);
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
  }

  /** Resolves when all that `sync` asked for was tried. */
  async settled(): Promise<void> {
    await this.#opening;
  }

  async close(): Promise<void> {
    this.#watch.close();
    this.sync([]);
    await this.settled();
  }

  #drop(path: string): void {
    this.#held.get(path)?.resolver.close();
    this.#held.delete(path);
  }

  /** To make a redirect takes milliseconds in which nothing else runs, so there is a pause after each. */
  async #open(): Promise<void> {
    const before = JSON.stringify([...this.#failures]);
    const tried = new Set<string>();
    for (let next = this.#next(tried); next !== undefined; next = this.#next(tried)) {
      tried.add(next.path);
      this.#openOne(next);
      await nextTurn();
    }
    if (JSON.stringify([...this.#failures]) !== before) this.#onFailures();
  }

  #next(tried: ReadonlySet<string>): SandboxNames | undefined {
    return [...this.#wanted.values()].find(({ path }) => !this.#held.has(path) && !tried.has(path));
  }

  #openOne({ path, inode, docker, names }: SandboxNames): void {
    try {
      const shared = docker || isShared(path);
      const upstream = shared ? new DockerUpstream(path) : this.#host;
      const resolver = new SandboxResolver({ path, names, upstream, shared, limit: this.#limit });
      this.#held.set(path, { inode, resolver });
      this.#failures.delete(path);
    } catch (error) {
      this.#failures.set(path, messageOf(error));
    }
  }
}

/**
 * Whether another resolver works at our address already, as Docker's does behind its NAT, also in a container that is
 * known to us by a process only.
 * @throws Error where one has the very port: then it is left alone
 */
function isShared(path: string): boolean {
  const ports = boundPorts(path, RESOLVER_ADDRESS);
  if (ports.has(DNS_PORT)) {
    throw new Error(`something there listens on ${RESOLVER_ADDRESS} port ${DNS_PORT} itself and is left alone`);
  }
  return ports.size > 0;
}
