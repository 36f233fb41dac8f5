import { Arrivals } from '../docker/arrivals.ts';
import type { DockerContext } from '../docker/context.ts';
import { Ipam } from '../docker/ipam.ts';
import { methodsOf } from '../docker/methods.ts';
import { type PluginServer, servePlugin } from '../docker/plugin-server.ts';
import { activatedSocket } from '../host/activation.ts';
import { messageOf } from '../service/errors.ts';
import type { Store } from '../store/store.ts';

/** The name of the descriptor in `linkspan-docker.socket`. */
const SOCKET_NAME = 'docker';

/** Docker's way into the gateway: the plugin on its socket, and who waits for Docker to take the links. */
export class DockerPlugin {
  readonly #context: DockerContext;
  readonly #addresses: Store['docker']['addresses'];
  readonly #arrivals: Arrivals;
  #server: PluginServer | undefined;

  constructor(context: DockerContext, addresses: Store['docker']['addresses']) {
    this.#context = context;
    this.#addresses = addresses;
    this.#arrivals = new Arrivals(context);
  }

  /** @param socket the plugin's path, which systemd may hold already; empty: off @throws LinkspanError */
  async start(socket: string): Promise<void> {
    this.#arrivals.resume();
    if (socket === '') return;
    const methods = methodsOf(this.#context, new Ipam(this.#context, this.#addresses), this.#arrivals);
    const where = activatedSocket(SOCKET_NAME) ?? socket;
    this.#server = await servePlugin(where, methods, (call, error) =>
      this.#context.log(`Docker's ${call.slice(1)} is refused: ${messageOf(error)}`),
    );
  }

  async stop(): Promise<void> {
    this.#arrivals.stop();
    await this.#server?.close();
  }
}
