import { Arrivals } from '../docker/arrivals.ts';
import { Collector, takeNames } from '../docker/collect.ts';
import { Containers } from '../docker/containers.ts';
import type { DockerContext } from '../docker/context.ts';
import { Ipam } from '../docker/ipam.ts';
import { methodsOf } from '../docker/methods.ts';
import { type PluginServer, servePlugin } from '../docker/plugin-server.ts';
import { withSandboxes } from '../docker/sandboxes.ts';
import { activatedSocket } from '../host/activation.ts';
import type { Endpoint } from '../model/network.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import { systemClock } from '../service/clock.ts';
import { messageOf } from '../service/errors.ts';
import type { Store } from '../store/store.ts';

/** The name of the descriptor in `linkspan-docker.socket`. */
const SOCKET_NAME = 'docker';

/** Docker beside the gateway: its calls to the plugin, its links on their way, and what its engine says of containers. */
export class DockerPlugin {
  readonly #sockets: Bootstrap['docker'];
  readonly #context: DockerContext;
  readonly #addresses: Store['docker']['addresses'];
  readonly #arrivals: Arrivals;
  readonly #collector: Collector;
  readonly #containers: Containers;
  #server: PluginServer | undefined;

  constructor(sockets: Bootstrap['docker'], context: DockerContext, addresses: Store['docker']['addresses']) {
    this.#sockets = sockets;
    this.#context = context;
    this.#addresses = addresses;
    this.#arrivals = new Arrivals(context);
    this.#collector = new Collector(context);
    this.#containers = new Containers({
      socket: sockets.engineSocket,
      onChange: () => {
        takeNames(context, this.#containers.running.values());
        context.glance();
      },
      onComplete: (networks) => void this.#collect(networks),
      log: context.log,
    });
  }

  /**
   * The plugin answers once this returns; the engine may come later, or never.
   * @throws LinkspanError where its socket cannot be served on
   */
  async start(): Promise<void> {
    const { pluginSocket, engineSocket } = this.#sockets;
    this.#arrivals.resume();
    if (pluginSocket !== '') this.#server = await this.#serve(pluginSocket);
    if (engineSocket !== '') this.#containers.start();
  }

  /** The endpoints, those of containers with the sandbox that is theirs now. */
  placed(endpoints: readonly Endpoint[]): readonly Endpoint[] {
    return withSandboxes(endpoints, (name) => this.#containers.named(name));
  }

  async stop(): Promise<void> {
    this.#arrivals.stop();
    this.#containers.stop();
    await this.#server?.close();
  }

  #serve(socket: string): Promise<PluginServer> {
    const methods = methodsOf(this.#context, new Ipam(this.#context, this.#addresses), this.#arrivals);
    // systemd may hold the socket already, so that a dockerd that starts meanwhile waits and is not refused.
    return servePlugin(activatedSocket(SOCKET_NAME) ?? socket, methods, (call, error) =>
      this.#context.log(`Docker's ${call.slice(1)} is refused: ${messageOf(error)}`),
    );
  }

  async #collect(networks: ReadonlySet<string>): Promise<void> {
    await this.#collector
      .collect(this.#containers.running.values(), networks, systemClock.monotonic())
      .catch((error: unknown) => this.#context.log(messageOf(error)));
  }
}
