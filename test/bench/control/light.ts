import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCredentials } from '../../../src/control/session/credentials.ts';
import { formatTopic, recordsFilter } from '../../../src/control/session/topics.ts';
import type { BrokerAccess } from '../../../src/control/session/session.ts';
import { Publisher } from '../../../src/peers/publisher.ts';
import { systemClock } from '../../../src/service/clock.ts';
import { now } from './instant.ts';
import type { MemberOptions } from './member.ts';
import { connectPacket, publishPacket, type Statement, subscribePacket } from './packets.ts';
import { FLEET, localOf, nameOf, type Shape } from './shape.ts';
import { gateOf } from './signing.ts';

/** As a gateway does: it waits for what the broker retains of itself, and its peers' manifests come after the records. */
const [BIRTH_MS, MANIFESTS_MS] = [500, 750];
const AT_ONCE = 200;

/**
 * What a gateway is to the broker and no more: it publishes the same bytes, subscribes to the same topics, and throws away
 * what comes.
 */
export class Light {
  readonly #shape: Shape;
  readonly #index: number;
  readonly #access: BrokerAccess;
  readonly #will: Statement;
  readonly #statements: readonly Statement[];
  #socket: Socket | undefined;

  constructor(shape: Shape, index: number, { epoch, access, signing }: MemberOptions) {
    [this.#shape, this.#index, this.#access] = [shape, index, access];
    const gw = nameOf(index);
    const gate = gateOf(shape, index, signing, systemClock);
    const publisher = new Publisher({ fleet: FLEET, gateway: gw, epoch, clock: systemClock });
    const alive = formatTopic(FLEET, { kind: 'alive', gw });
    const sealed = (topic: string, payload: Buffer): Statement => ({ topic, payload: gate.seal(topic, payload) });
    this.#will = sealed(alive, publisher.startSession());
    this.#statements = publisher.update(localOf(shape, index)).map((said) => {
      const topic = said.kind === 'alive' ? alive : formatTopic(FLEET, { ...said, gw });
      return sealed(topic, said.payload);
    });
  }

  /** Connects, and says and asks what a gateway does; resolves with when it had published all. */
  async start(): Promise<number> {
    const socket = await this.#connect();
    this.#socket = socket;
    const heard = new Promise((resolve) => socket.once('data', resolve));
    socket.write(connectPacket(`linkspan-${FLEET}-${nameOf(this.#index)}`, this.#will));
    await heard;
    const filters = this.#shape.vnisOf(this.#index).map((vni) => recordsFilter(FLEET, vni));
    socket.write(subscribePacket(1, [this.#will.topic, ...filters]));
    socket.resume();
    await sleep(BIRTH_MS);
    for (const [nth, said] of this.#statements.entries()) socket.write(publishPacket(2 + nth, said));
    const published = now();
    void sleep(MANIFESTS_MS).then(() => this.#follow(socket));
    return published;
  }

  async stop(): Promise<void> {
    this.#socket?.destroy();
  }

  #follow(socket: Socket): void {
    const alives = this.#shape
      .peersOf(this.#index)
      .map((peer) => formatTopic(FLEET, { kind: 'alive', gw: nameOf(peer) }));
    for (let from = 0; from < alives.length; from += AT_ONCE)
      socket.write(subscribePacket(100 + from, alives.slice(from, from + AT_ONCE)));
  }

  async #connect(): Promise<Socket> {
    const { protocol, hostname: host, port } = new URL(this.#access.url);
    const address = { host, port: Number(port) };
    const isTls = protocol === 'mqtts:';
    const socket = isTls ? connectTls({ ...address, ...(await readCredentials(this.#access)) }) : connect(address);
    await new Promise<void>((resolve, reject) => {
      socket.once(isTls ? 'secureConnect' : 'connect', resolve);
      socket.once('error', reject);
    });
    return socket;
  }
}
