import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { DockerNode } from '../../lab/dockerd-node.ts';
import type { Lab } from '../../lab/lab.ts';
import { percentile, spreadOf } from '../statistics.ts';

const CALL = /^POST \/(\w+\.\w+) HTTP/;
const CALL_LENGTH = 100;

/** How long a call was answered after it was asked, in milliseconds. */
export type CallFigure = {
  readonly count: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
};

/**
 * A second way to a node's plugin, by a driver name of its own: what goes through is handed on as it comes, and each call
 * is timed from its first byte to the answer's. The relay's own work, a few wake-ups of this process, is counted in.
 */
export class TimedDriver {
  readonly #took = new Map<string, number[]>();

  private constructor() {}

  /** Docker finds the driver `name` beside `plugin`, which must be served already. */
  static async start(lab: Lab, node: DockerNode, name: string, plugin: string): Promise<TimedDriver> {
    const driver = new TimedDriver();
    const target = join(node.plugins, `${plugin}.sock`);
    const server = createServer((docker) => driver.#relay(docker, connect(target)));
    await new Promise<void>((resolve) => server.listen(join(node.plugins, `${name}.sock`), resolve));
    lab.defer(() => server.close());
    return driver;
  }

  /** By the call's name, such as `NetworkDriver.Join`. */
  figures(): Readonly<Record<string, CallFigure>> {
    return Object.fromEntries([...this.#took].map(([call, took]) => [call, figureOf(took)]));
  }

  #relay(docker: Socket, plugin: Socket): void {
    let asked: { readonly call: string; readonly at: number } | undefined;
    docker.on('data', (chunk) => {
      const call = CALL.exec(chunk.toString('latin1', 0, CALL_LENGTH))?.[1];
      // Docker asks one thing at a time on a connection; what does not begin with a call is a body.
      if (call !== undefined) asked = { call, at: performance.now() };
      plugin.write(chunk);
    });
    plugin.on('data', (chunk) => {
      docker.write(chunk);
      if (asked !== undefined) this.#note(asked.call, performance.now() - asked.at);
      asked = undefined;
    });
    endTogether(docker, plugin);
  }

  #note(call: string, took: number): void {
    this.#took.set(call, [...(this.#took.get(call) ?? []), took]);
  }
}

function endTogether(a: Socket, b: Socket): void {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}

function figureOf(took: readonly number[]): CallFigure {
  const { median, max } = spreadOf(took);
  return { count: took.length, median, p99: percentile(took, 99), max };
}
