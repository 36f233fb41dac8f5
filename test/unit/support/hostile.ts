import { afterEach } from '@jest/globals';
import { Aedes, type AedesPublishPacket } from 'aedes';
import { createServer, type AddressInfo } from 'node:net';
import { GatewaySession } from '../../../src/control/session/gateway-session.ts';
import { formatTopic } from '../../../src/control/session/topics.ts';
import type { MacEntry } from '../../../src/model/peer.ts';
import { PeerDirectory } from '../../../src/peers/directory.ts';
import { type LocalState, Publisher } from '../../../src/peers/publisher.ts';
import { systemClock as clock } from '../../../src/service/clock.ts';
import { MemoryStore } from './peer-store.ts';
import type { TrustGate } from '../../../src/trust/gate.ts';
import { openGate } from './trust.ts';
import { mac, vni } from './values.ts';

export const FLEET = 'plant';
export const VNIS = [vni(1), vni(2), vni(3)];
export const COUNT = 10;
export const cleanups: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export type Message = { readonly topic: string; readonly payload: Buffer };
const hex = (n: number): string => n.toString(16).padStart(2, '0');
export const pick = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T;

/** An aedes that keeps what it was given and, while hostile, loses, delays, repeats, erases, swaps and replays it. */
export class HostileBroker {
  readonly seen: Message[] = [];
  hostile = false;
  /** the client to which it hands nothing on, as a broker that loses what comes while one subscribes */
  silentTo: string | undefined;
  readonly #aedes: Aedes;
  port = 0;

  private constructor(aedes: Aedes) {
    this.#aedes = aedes;
    aedes.authorizePublish = (_client, packet, done) => {
      this.seen.push({ topic: packet.topic, payload: Buffer.from(packet.payload) });
      if (this.hostile && Math.random() < 0.1) Object.assign(packet, { topic: 'lost', retain: false });
      // so that what comes first may be handed on last
      if (this.hostile) setTimeout(() => done(null), Math.random() * 100);
      else done(null);
    };
    aedes.authorizeForward = (client, packet: AedesPublishPacket) =>
      client.id === this.silentTo || (this.hostile && Math.random() < 0.1) ? null : packet;
  }

  static async start(): Promise<HostileBroker> {
    const aedes = await Aedes.createBroker();
    const broker = new HostileBroker(aedes);
    const server = createServer({ noDelay: true }, (socket) => void aedes.handle(socket));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    broker.port = (server.address() as AddressInfo).port;
    cleanups.push(
      () =>
        new Promise<void>((resolve) => {
          aedes.close(() => server.close(() => resolve()));
        }),
    );
    return broker;
  }

  say({ topic, payload }: Message): void {
    this.#aedes.publish({ cmd: 'publish', topic, payload, qos: 1, retain: true, dup: false }, () => undefined);
  }

  /** One of its tricks on a message of ours, or one of `further`: forged ones make sense where signatures are required. */
  trick(further: readonly (() => void)[] = []): void {
    const [one, other] = [pick(this.seen), pick(this.seen)];
    const tricks: readonly (() => void)[] = [
      () => this.say(one),
      () => [1, 2, 3].forEach(() => this.say(one)),
      () => this.say({ topic: one.topic, payload: Buffer.alloc(0) }),
      () => this.say({ topic: one.topic.replace(/vni\/\d+/, `vni/${pick(VNIS)}`), payload: one.payload }),
      () => this.say({ topic: other.topic, payload: one.payload }),
    ];
    pick([...tricks, ...further])();
  }
}

/** MAC `index` of gateway `g` in a VNI in the table's version: whatever is held says where it belongs and how old it is. */
const macOf = (g: number, id: number, version: number, index: number): MacEntry => ({
  m: mac(`02:${hex(g)}:${hex(id)}:${hex(version)}:${hex(index >> 8)}:${hex(index & 255)}`),
  ip: [],
  q: 0,
  s: 1,
});

/** Two of three VNIs each; the first gateway's tables have three pages. */
export const localOf = (g: number, version: number): LocalState => ({
  vteps: [{ ip: `198.51.100.${g + 1}`, port: 4789 }],
  networks: VNIS.filter((_, n) => n !== g % 3).map((id) => ({
    vni: id,
    mtu: 1450,
    bum: 'replicate',
    macs: Array.from({ length: g === 0 ? 450 : 3 }, (_, index) => macOf(g, id, version, index)),
  })),
});

export class Gateway {
  readonly g: number;
  readonly trust: TrustGate;
  readonly directory: PeerDirectory;
  readonly session: GatewaySession;
  readonly events: string[] = [];
  readonly wrong: string[] = [];
  readonly desired: string[] = [];
  version = 1;
  readonly #newest = new Map<string, number>();

  constructor(g: number, port: number, trust: TrustGate = openGate()) {
    this.g = g;
    this.trust = trust;
    const onEvent = (type: string): void => void this.events.push(type);
    const common = { fleet: FLEET, gateway: `gw-${g}`, clock, onEvent };
    const admits: TrustGate['admits'] = (...said) => trust.admits(...said);
    this.directory = new PeerDirectory({ ...common, store: new MemoryStore(), admits });
    this.session = new GatewaySession({
      ...common,
      directory: this.directory,
      trust,
      publisher: new Publisher({ ...common, epoch: 2 }),
      mqtt: { url: `mqtt://127.0.0.1:${port}`, backoffMs: [50, 200] },
      clockIsRight: () => true,
      onRequest: () => Promise.resolve(undefined),
      onDesired: (payload) => void this.desired.push(payload.toString()),
      onEpochBehind: (epoch) => void this.wrong.push(`follows epoch ${epoch}`),
    });
    cleanups.push(() => this.session.stop());
    this.session.setLocal(localOf(g, this.version));
    this.session.start();
  }

  change(): void {
    this.version += 1;
    this.session.setLocal(localOf(this.g, this.version));
  }

  get vnis(): readonly number[] {
    return localOf(this.g, 0).networks.map((network) => network.vni);
  }

  /** Who is where in each of its VNIs. */
  get view(): string {
    return JSON.stringify(
      this.vnis.map((id) =>
        this.directory
          .remotes(vni(id))
          .map(({ gateway, vtep, macs }) => [gateway, vtep.ip, ...macs.map(({ m }) => m).toSorted()].join(' '))
          .toSorted(),
      ),
    );
  }

  /** Notes whatever it holds that is foreign, torn or older than what it has held. */
  look(): void {
    for (const id of this.vnis) {
      for (const { gateway, vtep, macs } of this.directory.remotes(vni(id))) {
        const peer = Number(gateway.slice(3));
        const version = Number.parseInt(macs[0]?.m.slice(9, 11) ?? '0', 16);
        const expected = localOf(peer, version);
        const table = expected.networks.find((network) => network.vni === id)?.macs.map(({ m }) => m);
        const key = `${id} ${gateway}`;
        const isTable = JSON.stringify(macs.map(({ m }) => m).toSorted()) === JSON.stringify(table?.toSorted());
        if (!isTable || vtep.ip !== expected.vteps[0]?.ip) this.wrong.push(`${key}: no table of its own`);
        if (version < (this.#newest.get(key) ?? 1)) this.wrong.push(`${key}: version ${version} again`);
        this.#newest.set(key, Math.max(version, this.#newest.get(key) ?? 1));
      }
    }
  }
}

export const truthFor = (gateway: Gateway, all: readonly Gateway[]): string =>
  JSON.stringify(
    gateway.vnis.map((id) =>
      all
        .filter((other) => other !== gateway && other.vnis.includes(id))
        .map(({ g, version }) => {
          const { vteps, networks } = localOf(g, version);
          const macs = networks.find((network) => network.vni === id)?.macs ?? [];
          return [`gw-${g}`, vteps[0]?.ip, ...macs.map(({ m }) => m).toSorted()].join(' ');
        })
        .toSorted(),
    ),
  );

/** What each gateway published in an earlier life. */
export function yesterday(): readonly Message[] {
  return Array.from({ length: COUNT }, (_, g) => g).flatMap((g) => {
    const gw = `gw-${g}`;
    const publisher = new Publisher({ fleet: FLEET, gateway: gw, epoch: 1, clock });
    publisher.startSession();
    return publisher.update(localOf(g, 0)).map((one) => ({
      topic: formatTopic(FLEET, one.kind === 'alive' ? { kind: 'alive', gw } : { ...one, gw }),
      payload: one.payload,
    }));
  });
}
