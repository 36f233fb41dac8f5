import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import type { LabProcess } from '../../lab/process.ts';
import { until } from '../../lab/wait.ts';

/** What passes on an interface, as tcpdump's lines with the Ethernet header. */
export class Capture {
  readonly #process: LabProcess;

  private constructor(process: LabProcess) {
    this.#process = process;
  }

  /** Starts it and returns once it listens. */
  static async start(lab: Lab, from: Namespace, device: string, ...filter: readonly string[]): Promise<Capture> {
    const argv = ['tcpdump', '-i', device, '-n', '-e', '-l', '--immediate-mode', ...filter];
    const process = await lab.process(from, argv);
    await until(`tcpdump on ${device} to listen`, () => process.log().includes('listening on'));
    return new Capture(process);
  }

  text(): string {
    return this.#process.log();
  }

  async stop(): Promise<string> {
    await this.#process.stop();
    return this.text();
  }
}
