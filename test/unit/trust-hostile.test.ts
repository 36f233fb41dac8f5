import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatTopic } from '../../src/control/session/topics.ts';
import { encodeAlive } from '../../src/peers/alive.ts';
import { encodeRecord } from '../../src/peers/record.ts';
import { systemClock as clock } from '../../src/service/clock.ts';
import { seal } from '../../src/trust/envelope.ts';
import { makeSigningKey, type SigningKey } from '../../src/trust/key.ts';
import type { VniRanges } from '../../src/trust/vni-ranges.ts';
import { until } from '../lab/wait.ts';
import {
  COUNT,
  FLEET,
  Gateway,
  HostileBroker,
  localOf,
  type Message,
  pick,
  truthFor,
  VNIS,
  yesterday,
} from './support/hostile.ts';
import { record } from './support/peers.ts';
import { FleetOwner, gateOf, MemoryTrust } from './support/trust.ts';

const HOSTILE_MS = 5000;
const EVIL = [{ ip: '203.0.113.66', port: 4789 }];

/** Gateways of one fleet that require signatures, and whoever vouches for them. */
class Fleet {
  readonly owner = new FleetOwner(FLEET);
  readonly keys = Array.from({ length: COUNT + 1 }, () => makeSigningKey());
  readonly broker: HostileBroker;

  constructor(broker: HostileBroker) {
    this.broker = broker;
  }

  keyOf(g: number): SigningKey {
    const key = this.keys[g];
    if (!key) throw new Error(`there is no gateway ${g}`);
    return key;
  }

  /** For the VNIs that it is in, unless said otherwise. */
  enrol(g: number, vnis?: VniRanges): void {
    const own = localOf(g, 0).networks.map(({ vni }) => [vni, vni] as const);
    this.broker.say(this.owner.enrol(`gw-${g}`, this.keyOf(g), vnis ?? own));
  }

  start(g: number): Gateway {
    const gate = gateOf(this.owner, { gateway: `gw-${g}`, key: this.keyOf(g), store: new MemoryTrust() });
    return new Gateway(g, this.broker.port, gate);
  }
}

const recordTopic = (gw: string, vni: number): string => `linkspan/v1/${FLEET}/vni/${vni}/gw/${gw}`;
const aliveTopic = (gw: string): string => formatTopic(FLEET, { kind: 'alive', gw });

const member = (): string => `gw-${Math.floor(Math.random() * COUNT)}`;
const evil = (gw: string, vni = pick(VNIS)): Message => {
  const body = record({ fleet: FLEET, vni, gw, epoch: pick([2, 3, 2 ** 31 - 1]), seq: 2 ** 40, vtep: EVIL });
  return { topic: recordTopic(gw, vni), payload: encodeRecord(body) };
};
const leaving = (gw: string): Message => ({
  topic: aliveTopic(gw),
  payload: encodeAlive({ v: 1, gw, epoch: 2, seq: 2 ** 40, state: 'leaving', vteps: [], vnis: {} }),
});
/** Entries that it holds of another, by VNI. */
const tables = (one: Gateway, of: string): number[] =>
  VNIS.map((vni) => one.directory.remotes(vni).find(({ gateway }) => gateway === of)?.macs.length ?? 0);

/** Whatever somebody might say who holds keys, but none that the fleet vouches for here. */
function forgeries(fleet: Fleet, seen: readonly Message[]): readonly (() => void)[] {
  const { broker, owner } = fleet;
  const [revoked, limited, unknown] = [makeSigningKey(), makeSigningKey(), makeSigningKey()];
  const sayAs = (key: SigningKey, { topic, payload }: Message): void =>
    broker.say({ topic, payload: seal(key, topic, payload) });
  const strangers = new FleetOwner(FLEET);
  const enrolledOnce = owner.enrol('gw-revoked', revoked);
  broker.say(owner.revoke('gw-revoked'));
  // it is known to whoever has heard of the gateway; to others a broker may still show the enrolment
  for (const vni of VNIS) sayAs(revoked, evil('gw-revoked', vni));
  broker.say(owner.enrol('gw-limited', limited, [[9, 9]]));
  return [
    () => broker.say(evil(member())),
    () => broker.say(leaving(member())),
    () => sayAs(pick(fleet.keys), leaving('gw-limited')),
    () => sayAs(limited, evil(member())),
    () => sayAs(limited, leaving(member())),
    () => sayAs(limited, evil('gw-limited')),
    () => sayAs(revoked, evil('gw-revoked')),
    () => sayAs(unknown, evil('gw-unknown')),
    () => sayAs(owner.key, evil(member())),
    () => broker.say(enrolledOnce),
    () => broker.say(strangers.enrol(member(), unknown)),
    () => {
      const { topic, payload } = pick(seen);
      broker.say({ topic, payload: Buffer.from(payload.toString().replaceAll('198.51.100', '203.0.113')) });
    },
  ];
}

test('under require nothing forged, foreign, revoked, swapped or of yesterday enters anywhere', async () => {
  const broker = await HostileBroker.start();
  const fleet = new Fleet(broker);
  const old = yesterday().map(({ topic, payload }) => {
    const [, g = ''] = /gw-(\d+)/.exec(topic) ?? [];
    return { topic, payload: seal(fleet.keyOf(Number(g)), topic, payload) };
  });
  old.forEach((message) => broker.say(message));
  for (let g = 0; g <= COUNT; g += 1) fleet.enrol(g);
  const gateways = Array.from({ length: COUNT }, (_, g) => fleet.start(g));
  const agree = (): boolean => gateways.every((one) => one.view === truthFor(one, gateways));
  await until('all know all', agree, 30_000);

  gateways.forEach((one) => one.directory.onChange(() => one.look()));
  const forged = forgeries(fleet, broker.seen);
  await until('all know of the revocation', () => gateways.every((one) => one.trust.followed.includes('gw-revoked')));
  await sleep(500);
  broker.seen.push(...old);
  broker.hostile = true;
  for (const end = clock.monotonic() + HOSTILE_MS; clock.monotonic() < end; await sleep(25)) {
    broker.trick(forged);
    pick(forged)();
    if (Math.random() < 0.3) pick(gateways).change();
  }
  broker.hostile = false;
  await until('all know all again', agree, 60_000);
  expect(gateways.flatMap(({ wrong }) => wrong)).toEqual([]);
  // nobody but the fleet's owner can mend what the broker shows on trust topics to whoever has seen nothing newer there
  for (let g = 0; g <= COUNT; g += 1) fleet.enrol(g);
  broker.say(fleet.owner.revoke('gw-revoked'));
  const late = fleet.start(COUNT);
  await until('a gateway that comes now knows all', () => late.view === truthFor(late, [...gateways, late]), 30_000);
  expect(late.directory.peers().map(({ gateway }) => gateway)).toHaveLength(COUNT);
}, 150_000);

test('who is vouched for later is taken then; who is no more, or in fewer VNIs, is gone at once with all pages', async () => {
  const broker = await HostileBroker.start();
  const fleet = new Fleet(broker);
  const gateways = [0, 1, 2, 3].map((g) => fleet.start(g));
  const [first, second, third, fourth] = gateways as [Gateway, Gateway, Gateway, Gateway];
  await until('all have published', () => new Set(broker.seen.map(({ topic }) => topic)).size >= 16);
  await sleep(1000);
  expect(gateways.flatMap((one) => one.directory.peers())).toEqual([]);

  [0, 1, 2, 3].forEach((g) => fleet.enrol(g));
  await until('all know all', () => gateways.every((one) => one.view === truthFor(one, gateways)));
  expect(tables(fourth, 'gw-0')).toEqual([0, 450, 450]);

  fleet.enrol(0, [[3, 3]]);
  await until('the first is gone from VNI 2', () => tables(fourth, 'gw-0')[1] === 0);
  expect(tables(fourth, 'gw-0')).toEqual([0, 0, 450]);
  first.change();
  await sleep(500);
  expect(tables(fourth, 'gw-0')).toEqual([0, 0, 450]);
  fleet.enrol(0);
  await until('it is back', () => fourth.view === truthFor(fourth, gateways));

  broker.say(fleet.owner.revoke('gw-1'));
  await until('the second is gone', () => tables(third, 'gw-1').every((count) => count === 0));
  second.change();
  await sleep(500);
  expect(third.directory.peers().map(({ gateway }) => gateway)).toEqual(['gw-0', 'gw-3']);
  fleet.enrol(1);
  await until('the second is back', () => third.view === truthFor(third, gateways));
}, 60_000);

test('a gateway with a new key and a lost state is taken as soon as it is enrolled anew', async () => {
  const broker = await HostileBroker.start();
  const fleet = new Fleet(broker);
  [0, 1].forEach((g) => fleet.enrol(g));
  const [first, second] = [0, 1].map((g) => fleet.start(g)) as [Gateway, Gateway];
  for (let n = 0; n < 3; n += 1) second.change();
  await until('both know both', () => first.view === truthFor(first, [first, second]));
  await second.session.stop();
  fleet.keys[1] = makeSigningKey();
  fleet.enrol(1);
  const anew = fleet.start(1);
  await until('the new one is known', () => first.view === truthFor(first, [first, anew]));
  expect(anew.wrong).toEqual([]);
}, 30_000);
