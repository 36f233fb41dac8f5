import { join } from 'node:path';
import type { Lab } from './lab.ts';
import type { Place } from './namespace.ts';
import type { LabProcess } from './process.ts';
import { until } from './wait.ts';

const READY_MS = 30_000;

/** A node of a NATS cluster; its state is kept over a restart. */
export class NatsNode {
  /** where MQTT is spoken */
  readonly url: string;
  readonly #start: () => Promise<LabProcess>;
  #process: LabProcess | undefined;

  constructor(address: string, start: () => Promise<LabProcess>) {
    this.url = `mqtt://${address}:1883`;
    this.#start = start;
  }

  async start(): Promise<void> {
    this.#process = await this.#start();
  }

  async kill9(): Promise<void> {
    await this.#process?.kill9();
  }

  log(): string {
    return this.#process?.log() ?? '';
  }

  /** Resolves once it knows who leads the cluster: before that it answers no CONNECT. */
  async ready(): Promise<void> {
    const said = /metadata leader/;
    const process = this.#process;
    await until(`${this.url} to know its cluster's leader`, () => !process?.running || said.test(this.log()), READY_MS);
    if (!process?.running) throw new Error(`nats-server at ${this.url} ended: ${this.log()}`);
  }
}

/** A cluster of NATS servers, one on each of the addresses, which must be those of `place`. */
export async function startNats(lab: Lab, place: Place, addresses: readonly string[]): Promise<readonly NatsNode[]> {
  const nodes = await Promise.all(addresses.map((address) => makeNode(lab, place, address, addresses)));
  await Promise.all(nodes.map((node) => node.start()));
  await Promise.all(nodes.map((node) => node.ready()));
  return nodes;
}

async function makeNode(lab: Lab, place: Place, address: string, all: readonly string[]): Promise<NatsNode> {
  const folder = await lab.folder();
  const file = join(folder, 'nats.conf');
  await lab.write(file, natsConfig(address, all, join(folder, 'jetstream')));
  return new NatsNode(address, () => lab.process(place, ['nats-server', '-c', file]));
}

/** MQTT needs JetStream and a name; the retained messages are in as many copies as there are nodes, three at most. */
export function natsConfig(address: string, all: readonly string[], folder: string): string {
  const routes = all.map((one) => `nats-route://${one}:6222`).join(', ');
  return `server_name: "${address}"
listen: "${address}:4222"
jetstream { store_dir: "${folder}" }
cluster { name: plant, listen: "${address}:6222", routes: [ ${routes} ] }
mqtt { listen: "${address}:1883" }
`;
}
