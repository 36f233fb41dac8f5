import { join } from 'node:path';
import type { Lab } from './lab.ts';
import type { Place } from './namespace.ts';
import type { LabProcess } from './process.ts';
import { until } from './wait.ts';

export type MosquittoOptions = {
  readonly namespace: Place;
  /** address there to listen on */
  readonly address: string;
  /** default 1883 */
  readonly port?: number;
  /** more lines of its configuration */
  readonly extra?: readonly string[];
};

/** A real broker, as a rule inside a namespace. Nothing is kept over a restart: the way a broker that lost its disk behaves. */
export class Mosquitto {
  readonly url: string;
  readonly #start: () => Promise<LabProcess>;
  #process: LabProcess | undefined;

  private constructor(url: string, start: () => Promise<LabProcess>) {
    this.url = url;
    this.#start = start;
  }

  /** Starts a broker and waits until it listens; it is ended at the lab's close. */
  static async start(lab: Lab, options: MosquittoOptions): Promise<Mosquitto> {
    const port = options.port ?? 1883;
    const file = join(await lab.folder(), 'mosquitto.conf');
    // As another user it could not read a folder of ours.
    const fixed = ['user root', 'persistence false', 'allow_anonymous true', 'log_dest stderr', 'log_type all'];
    await lab.write(file, [`listener ${port} ${options.address}`, ...fixed, ...(options.extra ?? []), ''].join('\n'));
    const start = (): Promise<LabProcess> => lab.process(options.namespace, ['mosquitto', '-c', file]);
    const broker = new Mosquitto(`mqtt://${options.address}:${port}`, start);
    await broker.restart();
    return broker;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Ends it in order; what it retained is gone. */
  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** SIGSTOP: it takes connections, as the kernel does that for it, and says no word. */
  signal(name: NodeJS.Signals): void {
    this.#process?.signal(name);
  }

  async kill9(): Promise<void> {
    await this.#process?.kill9();
  }

  /** Starts it, ending the one that runs; resolves once it listens. */
  async restart(): Promise<void> {
    await this.stop();
    const process = await this.#start();
    this.#process = process;
    const ready = (): boolean => !process.running || /mosquitto version \S+ running/.test(process.log());
    await until(`mosquitto at ${this.url} to run`, ready);
    if (!process.running) throw new Error(`mosquitto at ${this.url} ended: ${process.log()}`);
  }

  log(): string {
    return this.#process?.log() ?? '';
  }
}

export type SiteBrokerOptions = MosquittoOptions & {
  /** another for each site: the central broker lets one connection of a name live */
  readonly name: string;
  readonly centre: Mosquitto;
};

/** A site's broker: what is published there goes to the central one, and what others publish comes from it. */
export function siteBroker(lab: Lab, { name, centre, ...options }: SiteBrokerOptions): Promise<Mosquitto> {
  const { hostname, port } = new URL(centre.url);
  const bridge = [
    'connection centre',
    `address ${hostname}:${port}`,
    `remote_clientid ${name}`,
    'topic linkspan/v1/# both 1',
    'keepalive_interval 5',
    'restart_timeout 1 5',
  ];
  return Mosquitto.start(lab, { ...options, extra: [...(options.extra ?? []), ...bridge] });
}
