import { Arrivals } from '../docker/arrivals.ts';
import { Collector, takeNames } from '../docker/collect.ts';
import type { EngineNetwork } from '../docker/container.ts';
import { Containers } from '../docker/containers.ts';
import type { DockerContext } from '../docker/context.ts';
import { Ipam } from '../docker/ipam.ts';
import { methodsOf } from '../docker/methods.ts';
import { type PluginServer, servePlugin } from '../docker/plugin-server.ts';
import { withSandboxes } from '../docker/sandboxes.ts';
import { activatedSocket } from '../host/activation.ts';
import type { Endpoint } from '../model/network.ts';
import { remoteAddresses } from '../reconcile/cycle.ts';
import type { LeaseKeeper } from '../reconcile/lease-keeper.ts';
import type { ReconcileLoop } from '../reconcile/loop.ts';
import { systemClock } from '../service/clock.ts';
import { messageOf } from '../service/errors.ts';
import type { Log } from '../service/log.ts';
import type { GatewayState } from './gateway-state.ts';

/** The name of the descriptor in `linkspan-docker.socket`. */
const SOCKET_NAME = 'docker';

/** What Docker's calls set in motion. */
export type DockerMeans = { readonly loop: ReconcileLoop; readonly leases: LeaseKeeper; readonly log: Log };

/** Docker beside the gateway: its calls to the plugin, its links on their way, and what its engine says of containers. */
export class DockerPlugin {
  readonly #state: GatewayState;
  readonly #context: DockerContext;
  readonly #arrivals: Arrivals;
  readonly #collector: Collector;
  readonly #containers: Containers;
  #server: PluginServer | undefined;

  constructor(state: GatewayState, means: DockerMeans) {
    const context = contextOf(state, means);
    this.#state = state;
    this.#context = context;
    this.#arrivals = new Arrivals(context);
    this.#collector = new Collector(context, state.store.docker.addresses);
    this.#containers = new Containers({
      socket: state.bootstrap.docker.engineSocket,
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
    const { pluginSocket, engineSocket } = this.#state.bootstrap.docker;
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
    const ipam = new Ipam(this.#context, this.#state.store.docker.addresses);
    const methods = methodsOf(this.#context, ipam, this.#arrivals);
    // systemd may hold the socket already, so that a dockerd that starts meanwhile waits and is not refused.
    return servePlugin(activatedSocket(SOCKET_NAME) ?? socket, methods, (call, error) =>
      this.#context.log(`Docker's ${call.slice(1)} is refused: ${messageOf(error)}`),
    );
  }

  async #collect(networks: readonly EngineNetwork[]): Promise<void> {
    await this.#collector
      .collect(this.#containers.running.values(), networks, systemClock.monotonic())
      .catch((error: unknown) => this.#context.log(messageOf(error)));
  }
}

function contextOf(state: GatewayState, { loop, leases, log }: DockerMeans): DockerContext {
  return {
    gateway: state.bootstrap.gateway,
    records: state.store.docker,
    document: () => state.documents.desired,
    view: () => state.view,
    remoteAddresses: (network) => remoteAddresses(network, state.remotes()),
    settled: () => loop.settled(),
    wake: () => loop.wake('peers'),
    glance: () => loop.wake('host'),
    lease: (endpoint, parent, signal) => leases.acquire(endpoint, parent, signal),
    releaseLease: (key) => leases.release(key),
    log: (message) => log.warn(message),
  };
}
