import { availableParallelism } from 'node:os';
import type { MacEntry } from '../../../src/model/peer.ts';
import type { Vni } from '../../../src/model/vni.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Broker } from './broker.ts';
import { Worker } from './crew.ts';
import { now } from './instant.ts';
import type { Watched } from './orders.ts';
import { deviceOf, nameOf, type Shape } from './shape.ts';
import type { Signing } from './signing.ts';

/** Gateways that have a process each, so that one can be killed alone. */
export const LONERS = 3;

/** A fleet on a broker, its gateways shared out to as many processes as there are cores, and the last few alone. */
export class Fleet {
  readonly shape: Shape;
  readonly loners: readonly number[];
  readonly #lab: Lab;
  readonly #broker: Broker;
  readonly #signing: Signing | undefined;
  readonly #shared: readonly Worker[];
  readonly #alone = new Map<number, Worker>();

  private constructor(lab: Lab, broker: Broker, shape: Shape, signing: Signing | undefined) {
    this.#lab = lab;
    this.#broker = broker;
    this.shape = shape;
    this.#signing = signing;
    this.loners = Array.from({ length: LONERS }, (_, nth) => shape.gateways - 1 - nth);
    this.#shared = Array.from({ length: availableParallelism() }, () => Worker.start(lab));
  }

  static async build(lab: Lab, broker: Broker, shape: Shape, signing: Signing | undefined): Promise<Fleet> {
    const fleet = new Fleet(lab, broker, shape, signing);
    const many = Array.from({ length: shape.gateways - LONERS }, (_, index) => index);
    await Promise.all([
      ...fleet.#shared.map((worker, nth) =>
        fleet.#make(
          worker,
          many.filter((index) => index % fleet.#shared.length === nth),
        ),
      ),
      ...fleet.loners.map((index) => fleet.#makeAlone(index, 1)),
    ]);
    return fleet;
  }

  get pids(): readonly number[] {
    return this.#workers.map(({ pid }) => pid);
  }

  /** Starts all at once; how many milliseconds each took to know everything. */
  async coldStart(): Promise<readonly number[]> {
    const began = now();
    const known = await Promise.all(this.#workers.map((worker) => worker.ask('start', null)));
    return known.flat().map((at) => at - began);
  }

  /** How many MACs somebody lacks still, by what the directories give the datapaths. */
  async lacks(): Promise<number> {
    const lacking = await Promise.all(this.#workers.map((worker) => worker.ask('lacks', null)));
    return lacking.reduce((sum, one) => sum + one, 0);
  }

  /** One member's device comes to another; how many milliseconds each of the others took to know. */
  async move(vni: Vni, from: number, to: number): Promise<readonly number[]> {
    const device: MacEntry = { m: deviceOf(vni, from), ip: [], q: 1, s: 0 };
    const others = this.shape.membersOf(vni).filter((index) => index !== to);
    const seen = await this.#watch({ what: 'mac', vni, mac: device.m, gateway: nameOf(to) }, others);
    const at = await this.#workerOf(to).ask('take', { member: to, vni, device });
    return (await seen()).map((then) => then - at);
  }

  /** The process of a gateway is killed; how many milliseconds each of its peers took to know. */
  async crash(index: number): Promise<readonly number[]> {
    const peers = this.shape.peersOf(index).filter((peer) => peer !== index && this.#isUp(peer));
    const seen = await this.#watch({ what: 'gone', gateway: nameOf(index) }, peers);
    const at = now();
    await this.#alone.get(index)?.kill();
    this.#alone.delete(index);
    return (await seen()).map((then) => then - at);
  }

  /** One that crashed comes back, with nothing kept; how many milliseconds it took to know everything. */
  async comeBack(index: number): Promise<number> {
    const worker = await this.#makeAlone(index, 2);
    const began = now();
    const [known = Number.NaN] = await worker.ask('start', null);
    return known - began;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.ask('stop', null)));
  }

  get #workers(): readonly Worker[] {
    return [...this.#shared, ...this.#alone.values()];
  }

  #isUp(index: number): boolean {
    return !this.loners.includes(index) || this.#alone.has(index);
  }

  #workerOf(index: number): Worker {
    const worker = this.#alone.get(index) ?? this.#shared[index % this.#shared.length];
    if (!worker) throw new Error(`gateway ${index} is nowhere`);
    return worker;
  }

  async #watch(what: Watched, members: readonly number[]): Promise<() => Promise<readonly number[]>> {
    await Promise.all(this.#workers.map((worker) => worker.ask('watch', { ...what, members })));
    return async () => (await Promise.all(this.#workers.map((worker) => worker.ask('seen', null)))).flat();
  }

  #make(worker: Worker, members: readonly number[], epoch = 1): Promise<null> {
    const { access } = this.#broker;
    return worker.ask('build', { gateways: this.shape.gateways, members, epoch, access, signing: this.#signing });
  }

  async #makeAlone(index: number, epoch: number): Promise<Worker> {
    const worker = Worker.start(this.#lab);
    this.#alone.set(index, worker);
    await this.#make(worker, [index], epoch);
    return worker;
  }
}
