import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineName } from './docker-engines.ts';
import type { DockerNode } from './dockerd-node.ts';
import type { RunResult } from './exec.ts';
import { run } from './exec.ts';
import { getOverSocket } from './over-socket.ts';
import { LabProcess } from './process.ts';
import { until } from './wait.ts';

/** A plugin that does not answer costs dockerd 15 s for each container that it starts. */
const START_MS = 60_000;
/** dockerd gives each container 10 s to end. */
const STOP_MS = 30_000;
/** What it would look for at start and nobody uses here. */
const CONTAINERD = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n';

export type DockerdOptions = {
  readonly engine: EngineName;
  /** more of dockerd's arguments, such as `--live-restore` */
  readonly args?: readonly string[];
};

/**
 * A real dockerd on a node, with a containerd of its own that outlives it. Images, containers and networks stay over
 * its restarts. It has one image, `busybox`, and no way to any registry.
 */
export class Dockerd {
  readonly node: DockerNode;
  #options: DockerdOptions;
  #containerd: LabProcess | undefined;
  #dockerd: LabProcess | undefined;

  private constructor(node: DockerNode, options: DockerdOptions) {
    this.node = node;
    this.#options = options;
  }

  /** Starts it and waits until it answers; the node's end ends it. */
  static async start(node: DockerNode, options: DockerdOptions): Promise<Dockerd> {
    const dockerd = new Dockerd(node, options);
    await dockerd.restart();
    await dockerd.docker('import', node.engines.image, 'busybox');
    return dockerd;
  }

  /** Its API's socket, as a path of the host. */
  get socket(): string {
    return this.node.outside('/run/docker.sock');
  }

  get pid(): number | undefined {
    return this.#dockerd?.pid;
  }

  /** What the dockerd that was started last has logged. */
  log(): string {
    return this.#dockerd?.log() ?? '';
  }

  /**
   * Starts it, with other options if there are any (another engine: an upgrade), ending the one that runs in order;
   * resolves once it answers.
   */
  async restart(options: Partial<DockerdOptions> = {}): Promise<void> {
    await this.stop();
    if (options.engine !== undefined && options.engine !== this.#options.engine) await this.#containerd?.stop();
    this.#options = { ...this.#options, ...options };
    await this.#startContainerd();
    const dockerd = await this.#launch(['dockerd', ...this.#arguments()]);
    this.#dockerd = dockerd;
    const answers = async (): Promise<boolean> => (await getOverSocket(this.socket, '/_ping')).code === 200;
    await until('dockerd to answer', async () => !dockerd.running || (await answers()), START_MS);
    if (!dockerd.running) throw new Error(`dockerd ended: ${dockerd.log()}`);
  }

  /** SIGTERM: it ends its containers first, unless it was started with --live-restore. */
  async stop(): Promise<void> {
    await this.#dockerd?.stop(STOP_MS);
  }

  /** SIGKILL to dockerd alone; containers run on until it is started again. */
  async kill9(): Promise<void> {
    await this.#dockerd?.kill9();
  }

  /** SIGKILL to dockerd, containerd, every container and whatever else runs on the node. */
  async crash(): Promise<void> {
    await this.node.endAll();
    await Promise.all([this.#dockerd?.exited, this.#containerd?.exited]);
  }

  /** The engine's own CLI: what it printed, trimmed; throws where it fails. */
  async docker(...args: readonly string[]): Promise<string> {
    return (await run(this.#cli(args))).stdout.trim();
  }

  /** The engine's own CLI; a failure is in the result's `code`. */
  attempt(...args: readonly string[]): Promise<RunResult> {
    return run(this.#cli(args), { allowFailure: true });
  }

  /** Docker Compose, in the folder of a compose file; throws where it fails. */
  compose(folder: string, ...args: readonly string[]): Promise<RunResult> {
    // Debian 12's is another program, in Python; the newer one speaks to both engines.
    return run(this.node.withEngine('newer', ['docker-compose', ...args], folder));
  }

  #cli(args: readonly string[]): readonly string[] {
    return this.node.withEngine(this.#options.engine, ['docker', ...args]);
  }

  #launch(argv: readonly string[]): Promise<LabProcess> {
    return LabProcess.start(this.node.withEngine(this.#options.engine, argv));
  }

  #arguments(): readonly string[] {
    const { node } = this;
    return [
      '--host=unix:///run/docker.sock',
      '--containerd=/run/containerd/containerd.sock',
      `--data-root=${join(node.folder, 'docker')}`,
      `--storage-driver=${node.storageDriver ?? 'vfs'}`,
      '--exec-opt=native.cgroupdriver=cgroupfs',
      `--cgroup-parent=/${node.cgroup}`,
      ...(this.#options.args ?? []),
    ];
  }

  async #startContainerd(): Promise<void> {
    if (this.#containerd?.running) return;
    const file = join(this.node.folder, 'containerd.toml');
    await writeFile(file, CONTAINERD);
    const root = join(this.node.folder, 'containerd');
    const containerd = await this.#launch(['containerd', '--config', file, '--root', root]);
    this.#containerd = containerd;
    await until('containerd to serve', () => !containerd.running || containerd.log().includes('serving...'), START_MS);
    if (!containerd.running) throw new Error(`containerd ended: ${containerd.log()}`);
  }
}
