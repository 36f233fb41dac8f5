import { fileURLToPath } from 'node:url';
import type { Lab } from '../../lab/lab.ts';
import type { Place } from '../../lab/namespace.ts';
import type { LabProcess } from '../../lab/process.ts';
import { until } from '../../lab/wait.ts';

/** `whole`: so many of the gateways held everything, so many milliseconds after their start. */
export type MembersSaid = { readonly ms: number; readonly whole: number };

export type MembersPlan = {
  /** the nodes of the broker, with commas between; the gateways are spread over them */
  readonly urls: string;
  readonly count: number;
  /** each is in so many VNIs, of so many that there are */
  readonly networks: number;
  readonly of: number;
  readonly macs: number;
};

const CHILD = fileURLToPath(new URL('members.child.ts', import.meta.url));

/** The control planes of many gateways, in a process of their own. */
export class Members {
  readonly #process: LabProcess;
  readonly #count: number;

  private constructor(process: LabProcess, count: number) {
    [this.#process, this.#count] = [process, count];
  }

  static async start(lab: Lab, place: Place, { urls, ...plan }: MembersPlan): Promise<Members> {
    const { count, networks, of, macs } = plan;
    const argv = [process.execPath, CHILD, urls, ...[count, networks, of, macs].map(String)];
    return new Members(await lab.process(place, argv), count);
  }

  get pid(): number {
    return this.#process.pid;
  }

  said(): readonly MembersSaid[] {
    const lines = this.#process.log().split('\n').slice(0, -1);
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as MembersSaid);
  }

  /** Milliseconds from their start until each held everything. */
  whole(timeoutMs: number): Promise<number> {
    return until(
      `${this.#count} gateways to know each other`,
      () => {
        if (!this.#process.running) throw new Error(this.#process.log());
        const last = this.said().at(-1);
        if (last?.whole !== this.#count) throw new Error(JSON.stringify(last));
        return last.ms;
      },
      timeoutMs,
    );
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }
}
