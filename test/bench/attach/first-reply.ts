import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../../lab/lab.ts';
import { PingStream } from '../../lab/ping.ts';
import { until } from '../../lab/wait.ts';
import { rotated } from '../rounds.ts';
import type { AcrossSites } from '../topologies/docker.ts';
import type { Pair, Side } from './comparison.ts';
import { SIDES } from './comparison.ts';

const PING_MS = 10;
const SETTLE_MS = 500;
const REPLY_MS = 60_000;
/** the first address that no standing container has */
const FIRST_HOST = 11;

/** Rounds that there are addresses for: each takes a new one, as Docker's overlay was seen to stumble over a used one. */
export const ROUNDS_MAX = 200;

/**
 * From `docker run` to the first answer to the other site's pings, one each 10 ms, which go on all the time: milliseconds.
 */
export async function timeFirstReply(lab: Lab, sites: AcrossSites, number: number): Promise<Pair> {
  const took: Partial<Record<Side, number>> = {};
  for (const side of rotated(SIDES, number)) took[side] = await firstReply(lab, sites, side, number);
  return took as Pair;
}

async function firstReply(lab: Lab, { a, networks, paths }: AcrossSites, side: Side, number: number): Promise<number> {
  const address = `${networks[side].subnet}.${FIRST_HOST + number}`;
  const pings = await PingStream.start(lab, paths[side].server, address, PING_MS);
  await sleep(SETTLE_MS);
  const began = Date.now();
  await a.run('timed', '--network', networks[side].name, '--ip', address);
  const answered = await until(`${address} to answer`, () => pings.firstAnswer(), REPLY_MS);
  await pings.stop();
  await a.docker('rm', '-f', 'timed');
  return answered - began;
}
