import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GatewayStatus } from '../../../src/model/status.ts';
import type { RunResult } from '../exec.ts';
import type { Lab } from '../lab.ts';
import type { LabProcess } from '../process.ts';
import { connected } from '../vm/relay.ts';
import { until } from '../wait.ts';
import { Console } from './console.ts';
import { Disk } from './disk.ts';
import { freePorts } from './free-ports.ts';
import { type BuiltImage, LOGS } from './image.ts';
import { Monitor } from './monitor.ts';
import { boardCommand, type Cable, type Port } from './qemu.ts';
import { RootShell } from './shell.ts';

/** What a boot may take before a test gives up; what it should take, tests say themselves. */
const BOOT_MS = 420_000;
const COMMAND_S = 60;
const [ASK_EVERY_MS, ANSWER_MS] = [1000, 10_000];
/** Starts a root shell on the second console; see systemd-debug-generator(8). */
const DEBUG_SHELL = 'systemd.debug_shell=hvc0';

export type ApplianceOptions = {
  /** in the names of what is kept of it, and its place among others */
  readonly name: string;
  readonly image: BuiltImage;
  /** files for the partition that people put their configuration on */
  readonly provision?: Readonly<Record<string, string>>;
  /** more arguments for its kernel */
  readonly kernel?: readonly string[];
  readonly wan?: Cable;
  readonly plant?: Cable;
  readonly clock?: string;
};

export type PowerOn = {
  /** a state that was saved by `save` */
  readonly from?: string;
  readonly clock?: string;
  /** ports that nothing is plugged into */
  readonly unplugged?: readonly Port[];
};

type BlockStatistics = readonly { readonly device: string; readonly stats: { readonly wr_bytes: number } }[];

type Running = {
  readonly qemu: LabProcess;
  readonly monitor: Monitor;
  readonly console: Console;
  readonly shell: RootShell;
  readonly since: number;
};

/** A gateway from a shelf: the built image on a disk of its own, in a machine that can be switched on and off. */
export class Appliance {
  readonly disk: Disk;
  readonly httpPort: number;
  readonly #lab: Lab;
  readonly #options: ApplianceOptions;
  #runs = 0;
  #running: Running | undefined;

  private constructor(lab: Lab, options: ApplianceOptions, disk: Disk, httpPort: number) {
    this.#lab = lab;
    this.#options = options;
    this.disk = disk;
    this.httpPort = httpPort;
  }

  /** A new gateway, switched off; it is ended at the lab's close, and what its console said is kept in build/. */
  static async unpack(lab: Lab, options: ApplianceOptions): Promise<Appliance> {
    const disk = await Disk.flash(lab, options.image.raw);
    const [httpPort = 0] = await freePorts(1);
    const { kernel = [], provision } = options;
    await disk.put('boot', { 'cmdline.txt': `${[DEBUG_SHELL, ...kernel].join(' ')}\n` });
    if (provision) await disk.put('config', provision);
    const appliance = new Appliance(lab, options, disk, httpPort);
    lab.defer(() => appliance.powerCut());
    return appliance;
  }

  async powerOn({ from, clock = this.#options.clock, unplugged = [] }: PowerOn = {}): Promise<void> {
    if (this.#running) throw new Error(`${this.#options.name} is on already`);
    const folder = await this.#lab.folder();
    const { image, wan, plant } = this.#options;
    const command = boardCommand({
      emulator: image.emulator,
      uboot: image.uboot,
      disk: this.disk.path,
      folder,
      httpPort: this.httpPort,
      ...(wan && { wan }),
      ...(plant && { plant }),
      ...(clock !== undefined && { clock }),
      ...(from !== undefined && { from }),
    });
    const qemu = await this.#lab.process({ inside: (argv) => argv }, command);
    const plug = (socket: string): ReturnType<typeof connected> => this.#plugged(qemu, join(folder, socket));
    const monitor = await Monitor.over(await plug('monitor'));
    const since = performance.now();
    const console = new Console(await plug('console'), () => (performance.now() - since) / 1000);
    const shell = new RootShell(await plug('shell'));
    this.#running = { qemu, monitor, console, shell, since };
    this.#runs += 1;
    for (const port of unplugged) await this.plug(port, false);
    await monitor.execute('cont');
  }

  /** Seconds since it was switched on. */
  seconds(): number {
    return (performance.now() - this.on.since) / 1000;
  }

  get on(): Running {
    if (!this.#running) throw new Error(`${this.#options.name} is off`);
    return this.#running;
  }

  /** The plug is pulled: QEMU is killed. What was not yet on the disk is lost. */
  async powerCut(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    await running.qemu.kill9();
    this.#running = undefined;
    await mkdir(LOGS, { recursive: true });
    const said = running.console.text() + running.qemu.log();
    await writeFile(join(LOGS, `${this.#options.name}-${this.#runs}.log`), said);
  }

  /** The order to shut down, and the wait for it. */
  async powerOff(): Promise<void> {
    const { qemu, monitor } = this.on;
    await monitor.execute('system_powerdown');
    await until('it to be off', () => !qemu.running, BOOT_MS);
    await this.powerCut();
  }

  /** The reset button. */
  async reset(): Promise<void> {
    await this.on.monitor.execute('system_reset');
  }

  /** Puts a cable in or pulls it. */
  async plug(port: Port, plugged: boolean): Promise<void> {
    await this.on.monitor.execute('set_link', { name: `${port}-port`, up: plugged });
  }

  /** Puts a USB stick in; `file` is all that is on it. */
  async plugStick(file: string): Promise<void> {
    const { monitor } = this.on;
    const stick = { driver: 'raw', 'node-name': 'stick', 'read-only': true, file: { driver: 'file', filename: file } };
    await monitor.execute('blockdev-add', stick);
    await monitor.execute('device_add', { driver: 'usb-storage', bus: 'usb.0', drive: 'stick', id: 'stick' });
  }

  /** Saves all that the machine is at this moment, for `powerOn({ from })`. */
  async save(name: string): Promise<void> {
    await this.on.monitor.person(`savevm ${name}`);
  }

  /** How many bytes it has written to its disk since it was switched on. */
  async written(): Promise<number> {
    const devices = (await this.on.monitor.execute('query-blockstats')) as BlockStatistics;
    return devices.find(({ device }) => device === 'disk')?.stats.wr_bytes ?? 0;
  }

  /** Runs a command as root; throws where it fails, unless `allowFailure`. */
  async run(argv: readonly string[], { allowFailure = false, timeoutS = COMMAND_S } = {}): Promise<RunResult> {
    const result = await this.on.shell.run(argv, timeoutS);
    if (result.code === 0 || allowFailure) return result;
    throw new Error(
      `${argv.join(' ')}: exit ${result.code} on ${this.#options.name}\n${result.stderr}\n${result.stdout}`,
    );
  }

  /** What a script for /bin/sh prints. */
  async sh(script: string, options: { readonly timeoutS?: number } = {}): Promise<string> {
    return (await this.run(['sh', '-euc', script], options)).stdout.trim();
  }

  /** Waits for the root shell: after power-on, and after each start. */
  shellReady(timeoutMs = BOOT_MS): Promise<void> {
    return this.on.shell.ready(timeoutMs);
  }

  get(path: string, timeoutMs = 5000): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.httpPort}${path}`, { signal: AbortSignal.timeout(timeoutMs) });
  }

  async status(): Promise<GatewayStatus> {
    return (await (await this.get('/v1/status')).json()) as GatewayStatus;
  }

  /** Waits for the first answer of the status page; returns when it came, in seconds since power-on. */
  async answers(timeoutMs = BOOT_MS): Promise<number> {
    let first: number | undefined;
    // Beside each other: what is asked before it has an address is lost, and an answer may take it seconds.
    const asking = setInterval(() => {
      this.get('/healthz', ANSWER_MS).then(
        () => (first ??= this.seconds()),
        () => undefined,
      );
    }, ASK_EVERY_MS);
    const answered = until('the status page', () => first, timeoutMs).finally(() => clearInterval(asking));
    return answered.catch((error: Error) =>
      Promise.reject(new Error(`${error.message}\n${this.on.console.text().slice(-4000)}`)),
    );
  }

  /** Waits until it carries traffic and takes commands; returns when it did, in seconds since power-on. */
  async ready(timeoutMs = BOOT_MS): Promise<number> {
    await this.answers(timeoutMs);
    await until('it to be ready', async () => (await this.get('/readyz', 5000)).ok, timeoutMs);
    return this.seconds();
  }

  /** Waits until it has started anew, which `cause` brings about, and is ready. */
  async restarted(cause: () => Promise<unknown>, timeoutMs = BOOT_MS): Promise<void> {
    await this.startedAnew(cause, timeoutMs);
    await this.ready(timeoutMs);
  }

  /** The same, until its shell answers. */
  async startedAnew(cause: () => Promise<unknown>, timeoutMs = BOOT_MS): Promise<void> {
    const before = await this.bootId();
    // The shell that it is told by may be gone before it can say so.
    cause().catch(() => undefined);
    await until(
      'another start',
      async () => {
        await this.shellReady(5000);
        return (await this.bootId()) !== before;
      },
      timeoutMs,
    );
  }

  reboot(): Promise<void> {
    return this.restarted(() => this.run(['systemctl', 'reboot']));
  }

  async bootId(): Promise<string> {
    return this.sh('cat /proc/sys/kernel/random/boot_id');
  }

  #plugged(qemu: LabProcess, socket: string): ReturnType<typeof connected> {
    return until(`QEMU to listen at ${socket}`, () => {
      if (!qemu.running) throw new Error(`it ended: ${qemu.log()}`);
      return connected(socket);
    });
  }
}
