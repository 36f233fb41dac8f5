import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MacEntry } from '../../src/model/peer.ts';
import { seededRandom } from '../netns/support/random.ts';
import { cleanups, freePort, type Gateway, gateway, LINE1, mosquitto, until } from './support/sessions.ts';
import { mac } from './support/values.ts';

const SEED = Number(process.env['LINKSPAN_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const SOAK_MS = Number(process.env['LINKSPAN_SOAK_MS'] ?? 8000);
const [GATEWAYS, WORKLOADS, ADDRESSES] = [10, 80, 100];
const byText = (a: string, b: string): number => (a < b ? -1 : 1);
const hex = (n: number): string => n.toString(16).padStart(2, '0');

/** Where a workload runs, and with which address. */
type Place = { gw: number; ip: string };

/** Containers that come, go and take over each other's addresses; each change is told to the gateways that it concerns. */
class Plant {
  readonly places = new Map<string, Place>();
  readonly gateways: readonly Gateway[];
  readonly #random = seededRandom(SEED);

  constructor(gateways: readonly Gateway[]) {
    this.gateways = gateways;
    for (let n = 0; n < WORKLOADS; n += 1) this.#deploy(`02:00:00:00:00:${hex(n)}`);
    for (let gw = 0; gw < GATEWAYS; gw += 1) this.#tell(gw);
  }

  step(): void {
    const n = this.#pick(WORKLOADS);
    const name = `02:00:00:00:00:${hex(n)}`;
    const before = this.places.get(name);
    this.places.delete(name);
    if (this.#random() < 0.9) this.#deploy(name);
    const after = this.places.get(name);
    // the new place may speak before the old one does
    for (const gw of [after?.gw, before?.gw]) if (gw !== undefined) this.#tell(gw);
  }

  entries(gw: number): readonly MacEntry[] {
    const here = [...this.places].filter(([, place]) => place.gw === gw);
    return here.map(([name, { ip }]) => ({ m: mac(name), ip: [ip], q: 0, s: 1 }));
  }

  /** What everybody but `gw` has. */
  truth(gw: number): readonly string[] {
    const others = [...this.places].filter(([, place]) => place.gw !== gw);
    return others.map(([name, place]) => `${name} gw-${place.gw} ${place.ip}`).toSorted(byText);
  }

  #deploy(name: string): void {
    const taken = new Set([...this.places.values()].map(({ ip }) => ip));
    let ip = '';
    do ip = `10.110.0.${1 + this.#pick(ADDRESSES)}`;
    while (taken.has(ip));
    this.places.set(name, { gw: this.#pick(GATEWAYS), ip });
  }

  #tell(gw: number): void {
    const network = { vni: LINE1, mtu: 1450, bum: 'replicate', macs: this.entries(gw) };
    this.gateways[gw]?.session.setLocal({ vteps: [{ ip: `198.51.100.${gw + 1}`, port: 4789 }], networks: [network] });
  }

  #pick(below: number): number {
    return Math.floor(this.#random() * below);
  }
}

function fdbOf({ directory }: Gateway): readonly string[] {
  const remotes = directory.remotes(LINE1);
  const entries = remotes.flatMap(({ gateway: gw, macs }) => macs.map(({ m, ip }) => `${m} ${gw} ${ip.join()}`));
  return entries.toSorted(byText);
}

test(
  `after a storm of redeployments every table is the published truth (seed ${SEED})`,
  async () => {
    const port = await freePort();
    let broker = await mosquitto(port);
    cleanups.unshift(() => broker.close());
    const gateways = Array.from({ length: GATEWAYS }, (_, gw) => gateway(`gw-${gw}`, port));
    const plant = new Plant(gateways);
    await until('all are connected', () => gateways.every(({ session }) => session.connected));
    const started = performance.now();
    let moves = 0;
    for (let killed = false; performance.now() - started < SOAK_MS; moves += 1) {
      plant.step();
      await sleep(10);
      // all that it retained is lost with it
      if (killed || performance.now() - started < SOAK_MS / 2) continue;
      await broker.close();
      broker = await mosquitto(port);
      killed = true;
    }
    // and once more, with the last moves made meanwhile: nobody but the gateways themselves knows of them
    await broker.close();
    for (let n = 0; n < 50; n += 1) plant.step();
    broker = await mosquitto(port);
    const quiet = performance.now();
    const isTrue = (one: Gateway, gw: number): boolean =>
      JSON.stringify(fdbOf(one)) === JSON.stringify(plant.truth(gw));
    await until('every table is true', () => gateways.every(isTrue), 60_000).catch(() => undefined);
    console.log(`${moves} moves, true again after ${Math.round(performance.now() - quiet)} ms`);
    for (const [gw, one] of gateways.entries()) expect(fdbOf(one)).toEqual(plant.truth(gw));
    await broker.close();
  },
  SOAK_MS + 90_000,
);
