import { join } from 'node:path';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import type { LabProcess } from './process.ts';
import { until } from './wait.ts';

/** A line of the server's lease file. */
export type ServerLease = {
  readonly mac: string;
  readonly address: string;
  readonly hostname: string;
  readonly clientId: string;
};

/** A real DHCP server on an interface of a namespace; what it leased is kept over a restart. */
export class Dnsmasq {
  readonly #start: (lines: readonly string[]) => Promise<LabProcess>;
  readonly #leaseText: () => Promise<string>;
  #process: LabProcess | undefined;
  #lines: readonly string[];

  private constructor(
    start: (lines: readonly string[]) => Promise<LabProcess>,
    leaseText: () => Promise<string>,
    lines: readonly string[],
  ) {
    this.#start = start;
    this.#leaseText = leaseText;
    this.#lines = lines;
  }

  /** @param lines of its configuration, `dhcp-range=…` at least */
  static async start(lab: Lab, namespace: Namespace, name: string, lines: readonly string[]): Promise<Dnsmasq> {
    const folder = await lab.folder();
    const [file, leases] = [join(folder, 'dnsmasq.conf'), join(folder, 'leases')];
    const fixed = ['port=0', 'bind-interfaces', 'no-ping', 'dhcp-authoritative', 'log-dhcp', 'log-facility=-'];
    const own = ['user=root', 'pid-file=', `interface=${name}`, `dhcp-leasefile=${leases}`];
    const start = async (extra: readonly string[]): Promise<LabProcess> => {
      await lab.write(file, [...fixed, ...own, ...extra, ''].join('\n'));
      return lab.process(namespace, ['dnsmasq', '--keep-in-foreground', `--conf-file=${file}`]);
    };
    const leaseText = async (): Promise<string> => (await lab.run(['cat', leases], { allowFailure: true })).stdout;
    const server = new Dnsmasq(start, leaseText, lines);
    await server.restart();
    return server;
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** Starts it, ending the one that runs; with other lines where given. */
  async restart(lines = this.#lines): Promise<void> {
    await this.stop();
    this.#lines = lines;
    const process = await this.#start(lines);
    this.#process = process;
    await until('dnsmasq to serve', () => !process.running || process.log().includes('DHCP, sockets bound'));
    if (!process.running) throw new Error(`dnsmasq ended: ${process.log()}`);
  }

  /** Of the one that runs, since its start. */
  log(): string {
    return this.#process?.log() ?? '';
  }

  async leases(): Promise<readonly ServerLease[]> {
    const text = await this.#leaseText();
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '))
      .map(([, mac = '', address = '', hostname = '', clientId = '']) => ({ mac, address, hostname, clientId }));
  }
}
