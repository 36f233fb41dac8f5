import type { LoopProber } from '../model/guards.ts';
import type { Mac } from '../model/mac.ts';
import { loopProbe, readLoopProbe } from '../packet/loop-probe.ts';
import { endCut, type GuardKey, readCuts } from './guard-tables.ts';
import { SystemCallError } from './libc.ts';
import { listenPackets, type PacketListener } from './packet-listener.ts';
import { sendFrames } from './packet-socket.ts';

/** A loop is to be cut within a second. */
const PROBE_MS = 250;
/** Without a probe back for so long, twelve in a row, the loop is gone. */
const GONE_MS = 3000;
/** As long as it takes whoever else is in the loop to say so. */
const LISTEN_LOOKS = 3;
const OWN_NAMESPACE = '/proc/self/ns/net';

/** A stretched network's port towards the plant, and the table by which the kernel cuts it off. */
export type WatchedLoop = {
  readonly network: string;
  readonly table: GuardKey;
  readonly port: { readonly name: string; readonly index: number; readonly mac: Mac };
  readonly prober: LoopProber;
};

/** A loop that is cut. */
type Cut = {
  /** the port's, which has another one once it was away */
  readonly index: number;
  readonly listener: PacketListener | undefined;
  readonly others: Set<string>;
  /** since this service knows of it */
  looks: number;
};

/** Sends loop probes four times a second, and sees by the kernel's rules whether they came back. */
export class LoopWatch {
  readonly #onChange: () => void;
  #loops: readonly WatchedLoop[] = [];
  readonly #cuts = new Map<GuardKey, Cut>();
  #timer: NodeJS.Timeout | undefined;

  /** @param onChange told when a loop is cut, and when it is gone */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** All networks to watch from now on. */
  sync(loops: readonly WatchedLoop[]): void {
    this.#loops = loops;
    const tables = new Set(loops.map(({ table }) => table));
    for (const table of this.#cuts.keys()) if (!tables.has(table)) this.#forget(table);
    if (loops.length === 0) this.stop();
    else this.#timer ??= setTimeout(() => void this.#turn(), 0).unref();
  }

  /** Gateways whose probes the network's VLAN hears while it is cut; undefined while that is not known. */
  others(table: GuardKey): readonly string[] | undefined {
    const cut = this.#cuts.get(table);
    return cut === undefined || cut.looks < LISTEN_LOOKS ? undefined : [...cut.others].toSorted();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const table of this.#cuts.keys()) this.#forget(table);
  }

  async #turn(): Promise<void> {
    const timer = this.#timer;
    for (const { port, prober } of this.#loops) sendFrames(OWN_NAMESPACE, port.name, [loopProbe(port.mac, prober)]);
    const cuts = await readCuts(this.#loops.map(({ table }) => table));
    // Stopped meanwhile, and perhaps begun anew.
    if (this.#timer !== timer) return;
    this.#timer = setTimeout(() => void this.#turn(), PROBE_MS).unref();
    const news = this.#loops.map((loop) => this.#look(loop, cuts.get(loop.table)));
    if (news.includes(true)) this.#onChange();
  }

  /** Whether there is news. @param age milliseconds since a probe came back; undefined: it is not cut */
  #look(loop: WatchedLoop, age: number | undefined): boolean {
    if (age === undefined) return this.#forget(loop.table);
    const news = this.#hear(loop);
    // A service that has just begun has sent none that could have come back.
    const looks = this.#cuts.get(loop.table)?.looks ?? 0;
    if (age > GONE_MS && looks * PROBE_MS > GONE_MS) void endCut(loop.table).catch(() => undefined);
    return news;
  }

  /** True once it is known who else is in the loop, or nobody says so. */
  #hear({ table, port, prober }: WatchedLoop): boolean {
    const { index } = port;
    if (this.#cuts.get(table)?.index !== index) this.#forget(table);
    const cut = this.#cuts.get(table) ?? { index, listener: listen(index), others: new Set<string>(), looks: 0 };
    this.#cuts.set(table, cut);
    cut.looks += 1;
    for (const frame of receive(cut.listener)) {
      const { gateway, vni } = readLoopProbe(frame) ?? {};
      if (gateway !== undefined && vni === prober.vni && gateway !== prober.gateway) cut.others.add(gateway);
    }
    return cut.looks === LISTEN_LOOKS;
  }

  #forget(table: GuardKey): boolean {
    this.#cuts.get(table)?.listener?.close();
    return this.#cuts.delete(table);
  }
}

/** Undefined where the port is gone. */
function listen(index: number): PacketListener | undefined {
  try {
    return listenPackets(undefined, index, 'probe');
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  }
}

function receive(listener: PacketListener | undefined): readonly Buffer[] {
  try {
    return listener?.receive() ?? [];
  } catch (error) {
    if (error instanceof SystemCallError) return [];
    throw error;
  }
}
