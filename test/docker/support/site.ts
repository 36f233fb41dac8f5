import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineName } from '../../lab/docker-engines.ts';
import { Dockerd, type DockerdOptions } from '../../lab/dockerd.ts';
import { DockerNode } from '../../lab/dockerd-node.ts';
import { type Gateway, startGateway } from '../../lab/gateway.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { until } from '../../lab/wait.ts';

const PLUGIN_SOCKET = '/run/docker/plugins/linkspan.sock';

export type DockerSiteOptions = {
  readonly namespace: Namespace;
  readonly engine?: EngineName;
  readonly dockerArgs?: DockerdOptions['args'];
  /** where linkspand serves the plugin; default: where dockerd looks for it */
  readonly pluginSocket?: string;
  /** the bootstrap file's keys */
  readonly config: Record<string, unknown>;
};

/** A gateway with Docker on it: linkspand and dockerd beside each other, as on a real one. */
export class DockerSite {
  readonly node: DockerNode;
  readonly dockerd: Dockerd;
  readonly #start: () => Promise<Gateway>;
  #gateway: Gateway;

  private constructor(node: DockerNode, dockerd: Dockerd, gateway: Gateway, start: () => Promise<Gateway>) {
    this.node = node;
    this.dockerd = dockerd;
    this.#gateway = gateway;
    this.#start = start;
  }

  static async start(lab: Lab, options: DockerSiteOptions): Promise<DockerSite> {
    const { namespace, config, engine = 'bookworm', dockerArgs: args, pluginSocket = PLUGIN_SOCKET } = options;
    const node = await DockerNode.create(lab, namespace);
    const dir = join(node.folder, 'linkspan');
    await mkdir(dir);
    const docker = { pluginSocket, engineSocket: '/run/docker.sock' };
    const start = (): Promise<Gateway> => startGateway(lab, { namespace: node, config: { ...config, docker }, dir });
    const gateway = await start();
    const dockerd = await Dockerd.start(node, { engine, ...(args && { args }) });
    return new DockerSite(node, dockerd, gateway, start);
  }

  /** the linkspand that runs now */
  get gateway(): Gateway {
    return this.#gateway;
  }

  /** Starts linkspand again, after a stop or a kill. */
  async restartGateway(): Promise<Gateway> {
    this.#gateway = await this.#start();
    return this.#gateway;
  }

  /** The engine's CLI; throws where it fails. */
  docker(...args: readonly string[]): Promise<string> {
    return this.dockerd.docker(...args);
  }

  /** A container of the busybox image that does nothing until it is ended. */
  run(name: string, ...args: readonly string[]): Promise<string> {
    return this.docker('run', '-d', '--name', name, ...args, 'busybox', 'sleep', '100000');
  }

  /** A command inside a container; throws where it fails. */
  exec(container: string, ...argv: readonly string[]): Promise<string> {
    return this.docker('exec', container, ...argv);
  }

  /** A container's IPv4 address on its first network, as the kernel has it. */
  async address(container: string): Promise<string> {
    const text = await this.exec(container, 'ip', '-4', '-o', 'address', 'show', 'dev', 'eth0');
    return /inet ([\d.]+)\//.exec(text)?.[1] ?? '';
  }

  /** Whether an address or a name answers one ping of the container within two seconds. */
  async reaches(container: string, target: string): Promise<boolean> {
    return (await this.dockerd.attempt('exec', container, 'ping', '-c1', '-W2', target)).code === 0;
  }

  /** Waits until the gateway sees as many endpoints attached. */
  attached(count: number): Promise<unknown> {
    return until(`${count} endpoints to be attached`, async () => {
      const { endpoints } = await this.#gateway.status();
      return endpoints.length === count && endpoints.every(({ state }) => state === 'attached');
    });
  }
}
