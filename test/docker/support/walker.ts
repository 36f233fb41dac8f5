import type { DockerSite } from './site.ts';

/** A network that containers are started on, with what else such a start takes. */
export type Ground = { readonly network: string; readonly args: readonly string[] };

type Walked = { readonly name: string; running: boolean; readonly networks: Set<string> };

/** So many containers one walker has at a time, running or stopped. */
const AT_ONCE = 6;

/** Starts and ends containers at random, moving them between networks, one command after the other. */
export class Walker {
  readonly #site: DockerSite;
  readonly #grounds: readonly Ground[];
  readonly #random: () => number;
  readonly #label: string;
  #started = 0;
  readonly containers: Walked[] = [];

  constructor(site: DockerSite, grounds: readonly Ground[], random: () => number, label: string) {
    this.#site = site;
    this.#grounds = grounds;
    this.#random = random;
    this.#label = label;
  }

  /** How many it has started so far. */
  get started(): number {
    return this.#started;
  }

  /** One command, whichever comes up. @throws what Docker refuses, since it is to refuse nothing */
  async step(): Promise<void> {
    const container = this.#pick(this.containers);
    const dice = this.#random();
    if (container === undefined || (dice < 0.4 && this.containers.length < AT_ONCE)) return this.#run();
    if (dice < 0.65) return this.#remove(container);
    if (!container.running) return this.#start(container);
    return dice < 0.75 ? this.#stop(container) : this.#move(container);
  }

  async #run(): Promise<void> {
    const { network, args } = this.#pick(this.#grounds) ?? { network: 'none', args: [] };
    const name = `${this.#label}${this.#started}`;
    this.#started += 1;
    await this.#site.run(name, '--network', network, ...args);
    this.containers.push({ name, running: true, networks: new Set([network]) });
  }

  async #remove(container: Walked): Promise<void> {
    await this.#site.docker('rm', '-f', container.name);
    this.containers.splice(this.containers.indexOf(container), 1);
  }

  async #start(container: Walked): Promise<void> {
    await this.#site.docker('start', container.name);
    container.running = true;
  }

  async #stop(container: Walked): Promise<void> {
    await this.#site.docker('stop', '-t', '0', container.name);
    container.running = false;
  }

  /** To one more network, or away from one, but not from the last. */
  async #move({ name, networks }: Walked): Promise<void> {
    const { network = 'none' } = this.#pick(this.#grounds) ?? {};
    if (networks.has(network) && networks.size === 1) return;
    const verb = networks.has(network) ? 'disconnect' : 'connect';
    await this.#site.docker('network', verb, network, name);
    if (verb === 'connect') networks.add(network);
    else networks.delete(network);
  }

  #pick<T>(all: readonly T[]): T | undefined {
    return all[Math.floor(this.#random() * all.length)];
  }
}
