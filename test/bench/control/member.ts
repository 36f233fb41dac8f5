import { GatewaySession } from '../../../src/control/session/gateway-session.ts';
import type { BrokerAccess } from '../../../src/control/session/session.ts';
import type { MacEntry, PeerRecord } from '../../../src/model/peer.ts';
import type { Vni } from '../../../src/model/vni.ts';
import { PeerDirectory } from '../../../src/peers/directory.ts';
import { type LocalState, Publisher } from '../../../src/peers/publisher.ts';
import { type Clock, systemClock } from '../../../src/service/clock.ts';
import { now } from './instant.ts';
import { FLEET, localOf, MACS, nameOf, type Shape } from './shape.ts';
import { gateOf, type Signing } from './signing.ts';

const nothing = (): undefined => undefined;

/** Something that a gateway is to come to know, and when it did. */
type Watch = { readonly holds: () => boolean; readonly told: (at: number) => void };

export type MemberOptions = {
  readonly epoch: number;
  readonly access: BrokerAccess;
  readonly signing?: Signing | undefined;
  /** default: the system's */
  readonly clock?: Clock;
};

/** One gateway of the fleet: what a service has of the control plane, its peers kept in memory. */
export class Member {
  readonly index: number;
  readonly #session: GatewaySession;
  readonly #directory: PeerDirectory;
  readonly #complete = new Set<string>();
  readonly #watches = new Set<Watch>();
  readonly #expected: number;
  readonly #vnis: readonly Vni[];
  #local: LocalState;

  constructor(shape: Shape, index: number, { epoch, access, signing, clock = systemClock }: MemberOptions) {
    const common = { fleet: FLEET, gateway: nameOf(index), clock, onEvent: nothing };
    this.index = index;
    this.#expected = shape.recordsFor(index);
    this.#vnis = shape.vnisOf(index);
    this.#local = localOf(shape, index);
    this.#directory = new PeerDirectory({ ...common, store: this.#store() });
    this.#directory.onChange(() => this.#look());
    this.#session = new GatewaySession({
      ...common,
      directory: this.#directory,
      trust: gateOf(shape, index, signing, clock),
      publisher: new Publisher({ ...common, epoch }),
      mqtt: access,
      clockIsRight: () => true,
      onDesired: () => undefined,
      onRequest: async () => undefined,
      onEpochBehind: () => undefined,
    });
    this.#tell();
  }

  /** Connects; resolves with when this gateway knew all MACs of all its peers. */
  start(): Promise<number> {
    const known = this.#once(() => this.#complete.size >= this.#expected);
    this.#session.start();
    return known;
  }

  stop(): Promise<void> {
    return this.#session.stop();
  }

  /** What the directory itself says is still missing of all that a datapath would be given. */
  lacks(): number {
    const macs = this.#vnis
      .flatMap((vni) => this.#directory.remotes(vni))
      .reduce((sum, { macs: m }) => sum + m.length, 0);
    return this.#expected * MACS - macs;
  }

  /** A device comes here; returns when. */
  take(vni: Vni, device: MacEntry): number {
    const networks = this.#local.networks.map((one) =>
      one.vni === vni ? { ...one, macs: [...one.macs, device] } : one,
    );
    this.#local = { ...this.#local, networks };
    const at = now();
    this.#tell();
    return at;
  }

  /** When this gateway knew that the MAC is at that one. */
  sees(vni: Vni, mac: string, gateway: string): Promise<number> {
    return this.#once(() =>
      this.#directory
        .remotes(vni)
        .some((remote) => remote.gateway === gateway && remote.macs.some(({ m }) => m === mac)),
    );
  }

  /** When this gateway knew that the other one is no more as it was. */
  misses(gateway: string): Promise<number> {
    return this.#once(() => this.#directory.peers().some((peer) => peer.gateway === gateway && peer.state !== 'up'));
  }

  #tell(): void {
    this.#directory.setOwnMacs(new Map(this.#local.networks.map(({ vni, macs }) => [vni, macs])));
    this.#session.setLocal(this.#local);
  }

  #once(holds: () => boolean): Promise<number> {
    return new Promise((told) => void this.#watches.add({ holds, told }));
  }

  #look(): void {
    for (const watch of this.#watches) {
      if (!watch.holds()) continue;
      this.#watches.delete(watch);
      watch.told(now());
    }
  }

  #store(): ConstructorParameters<typeof PeerDirectory>[0]['store'] {
    const saveRecord = ({ vni, gw, macs }: PeerRecord): void => {
      if (macs.length >= MACS) this.#complete.add(`${vni} ${gw}`);
    };
    return {
      saveRecord,
      loadRecords: () => [],
      removeRecord: nothing,
      loadFloors: () => [],
      saveFloor: nothing,
      loadAlives: () => [],
      saveAlive: nothing,
      removeAlive: nothing,
    };
  }
}
