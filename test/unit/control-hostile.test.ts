import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock as clock } from '../../src/service/clock.ts';
import { until } from '../lab/wait.ts';
import { COUNT, FLEET, Gateway, HostileBroker, pick, truthFor, yesterday } from './support/hostile.ts';

const HOSTILE_MS = 5000;

test('a broker that loses, repeats, reorders, erases, swaps and replays puts nothing wrong anywhere, and is mended', async () => {
  const broker = await HostileBroker.start();
  const old = yesterday();
  old.forEach((message) => broker.say(message));
  const gateways = Array.from({ length: COUNT }, (_, g) => new Gateway(g, broker.port));
  const agree = (): boolean => gateways.every((one) => one.view === truthFor(one, gateways));
  await until('all know all', agree, 30_000);

  const unwatch = gateways.map((one) => one.directory.onChange(() => one.look()));
  broker.seen.push(...old);
  broker.hostile = true;
  for (const end = clock.monotonic() + HOSTILE_MS; clock.monotonic() < end; await sleep(25)) {
    broker.trick();
    if (Math.random() < 0.3) pick(gateways).change();
  }
  broker.hostile = false;
  await until('all know all again', agree, 60_000);
  unwatch.forEach((stop) => stop());
  expect(gateways.flatMap(({ wrong }) => wrong)).toEqual([]);
  expect(gateways.flatMap(({ events }) => events)).toContain('record_healed');
  // what the broker retains is the truth too: a gateway that comes now has all of it
  const late = new Gateway(COUNT, broker.port);
  await until('a gateway that comes now knows all', () => late.view === truthFor(late, [...gateways, late]), 30_000);
}, 120_000);

test('what was lost while it subscribed is asked for again, though nothing ever told of it', async () => {
  const broker = await HostileBroker.start();
  const gateways = [1, 2].map((g) => new Gateway(g, broker.port));
  broker.silentTo = 'linkspan-plant-gw-1';
  await until('both have published', () => broker.seen.filter(({ topic }) => topic.includes('vni/')).length >= 4);
  await until('the other knows it', () => gateways[1]?.directory.peers().length === 1);
  await sleep(500);
  expect(gateways[0]?.directory.peers()).toEqual([]);
  broker.silentTo = undefined;
  await until('all know all', () => gateways.every((one) => one.view === truthFor(one, gateways)), 15_000);
}, 30_000);

test('a document that was lost while it subscribed is asked for again', async () => {
  const broker = await HostileBroker.start();
  const payload = Buffer.from('{"v":1}');
  broker.say({ topic: `linkspan/v1/${FLEET}/gw/gw-1/desired`, payload });
  broker.silentTo = 'linkspan-plant-gw-1';
  const one = new Gateway(1, broker.port);
  await until('it is connected', () => one.session.connected);
  await sleep(500);
  expect(one.desired).toEqual([]);
  broker.silentTo = undefined;
  await until('the document', () => one.desired.includes(payload.toString()), 15_000);
}, 30_000);

test('what others erased while the owner did not look is published again', async () => {
  const broker = await HostileBroker.start();
  const gateways = [1, 2].map((g) => new Gateway(g, broker.port));
  await until('all know all', () => gateways.every((one) => one.view === truthFor(one, gateways)), 15_000);
  const records = broker.seen.filter(({ topic }) => topic.endsWith('/gw/gw-1'));
  const old = broker.seen.find(({ topic }) => topic.endsWith('/gw/gw-2'));
  gateways[1]?.change();
  broker.silentTo = 'linkspan-plant-gw-1';
  records.forEach(({ topic }) => broker.say({ topic, payload: Buffer.alloc(0) }));
  await sleep(300);
  broker.silentTo = undefined;
  // something odd makes it look again
  if (old) broker.say(old);
  await until('the truth', () => gateways.every((one) => one.view === truthFor(one, gateways)), 15_000);
  const late = new Gateway(3, broker.port);
  const all = [...gateways, late];
  await until('a gateway that comes now knows all', () => late.view === truthFor(late, all), 25_000);
}, 60_000);

test('a broker that comes back with an older backup changes nothing, and has the present again', async () => {
  const broker = await HostileBroker.start();
  const gateways = [0, 1].map((g) => new Gateway(g, broker.port));
  const agree = (): boolean => gateways.every((one) => one.view === truthFor(one, gateways));
  await until('all know all', agree);
  const backup = [...broker.seen];
  gateways.forEach((one) => one.change());
  await until('all know the change', agree);
  gateways.forEach((one) => one.directory.onChange(() => one.look()));
  backup.forEach((message) => broker.say(message));
  const late = new Gateway(3, broker.port);
  const all = [...gateways, late];
  await until('all know all again', () => all.every((one) => one.view === truthFor(one, all)), 15_000);
  expect(gateways.flatMap(({ wrong }) => wrong)).toEqual([]);
}, 30_000);
