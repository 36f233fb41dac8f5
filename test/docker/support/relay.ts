import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { DockerNode } from '../../lab/dockerd-node.ts';
import type { Lab } from '../../lab/lab.ts';

export type When = 'before' | 'after';

/** A call that stands still. */
export type Held = {
  /** what dockerd said */
  readonly body: string;
  /** lets it go on */
  readonly pass: () => void;
  /** breaks dockerd's connection, as the death of the service does */
  readonly cut: () => void;
};

type Stop = { readonly call: string; readonly when: When; readonly hold: (held: Held) => void };
type Answer = { readonly status: number; readonly body: string };

const TYPE = { 'content-type': 'application/vnd.docker.plugins.v1.2+json' };

/**
 * Stands where dockerd looks for the plugin `linkspan` and hands its calls on to where the service listens: a test can
 * stop one before the service hears it, or after the service has answered and before dockerd hears that.
 */
export class Relay {
  readonly #service: string;
  readonly #stops: Stop[] = [];

  private constructor(service: string) {
    this.#service = service;
  }

  /** @param service the service's socket, as a path of the host */
  static async start(lab: Lab, node: DockerNode, service: string): Promise<Relay> {
    const relay = new Relay(service);
    const server = createServer((call, answer) => {
      // To dockerd, a service that has died and one that does not listen yet are a broken connection, which it tries again.
      relay.#handOn(call, answer).catch(() => answer.destroy());
    });
    await new Promise<void>((resolve) => server.listen(join(node.plugins, 'linkspan.sock'), resolve));
    lab.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    return relay;
  }

  /** Resolves once the next call of that name, such as `Join`, stands still. */
  hold(call: string, when: When): Promise<Held> {
    return new Promise((resolve) => void this.#stops.push({ call, when, hold: resolve }));
  }

  async #handOn(call: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { url: path = '' } = call;
    const body = await text(call);
    await this.#pause(path, 'before', body);
    // Nobody asks any more.
    if (answer.destroyed) return;
    const { status, body: said } = await ask(this.#service, path, body);
    await this.#pause(path, 'after', body);
    answer.writeHead(status, { ...TYPE, 'content-length': Buffer.byteLength(said) }).end(said);
  }

  async #pause(path: string, when: When, body: string): Promise<void> {
    const index = this.#stops.findIndex((one) => one.when === when && path.endsWith(`.${one.call}`));
    const [stop] = index === -1 ? [] : this.#stops.splice(index, 1);
    if (stop === undefined) return;
    await new Promise<void>((resolve, reject) => {
      stop.hold({ body, pass: resolve, cut: () => reject(new Error('cut')) });
    });
  }
}

function ask(socketPath: string, path: string, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method: 'POST', agent: false }, (answer) => {
      text(answer).then((said) => resolve({ status: answer.statusCode ?? 0, body: said }), reject);
    });
    call.on('error', reject);
    call.end(body);
  });
}
