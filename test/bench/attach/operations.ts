import { setTimeout as sleep } from 'node:timers/promises';
import type { DockerSite } from '../../docker/support/site.ts';
import { rotated } from '../rounds.ts';
import type { Pair, Side } from './comparison.ts';
import { SIDES } from './comparison.ts';

/** What is timed, from the command's start to its end: in this order, each undoes the one before or gives it its object. */
export const OPERATIONS = ['run', 'rm', 'connect', 'disconnect'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Networks of the site by side. */
export type Networks = Readonly<Record<Side, string>>;

/** A running container that is on no network at all. */
export const GUEST = 'guest';

// What either leaves to do after it has answered must not be the other's burden.
const PAUSE_MS = 250;

const COMMANDS: Readonly<Record<Operation, (network: string) => readonly string[]>> = {
  run: (network) => ['run', '-d', '--name', 'timed', '--network', network, 'busybox', 'sleep', '100000'],
  rm: () => ['rm', '-f', 'timed'],
  connect: (network) => ['network', 'connect', network, GUEST],
  disconnect: (network) => ['network', 'disconnect', network, GUEST],
};

/** How long a command takes, in milliseconds; throws where it fails. */
async function timed(site: DockerSite, argv: readonly string[]): Promise<number> {
  const began = performance.now();
  await site.docker(...argv);
  return performance.now() - began;
}

/** Makes the guest, which every round needs. */
export async function makeGuest(site: DockerSite): Promise<void> {
  await site.run(GUEST, '--network', 'none');
  await site.docker('network', 'disconnect', 'none', GUEST);
}

/**
 * Each operation once on each side: milliseconds. A container is made and removed, and then the guest connected and
 * disconnected, on one side straight after the other; `number` is the round's, which says who is first.
 */
export async function timeOperations(
  site: DockerSite,
  networks: Networks,
  number: number,
): Promise<Readonly<Record<Operation, Pair>>> {
  const took = { run: {}, rm: {}, connect: {}, disconnect: {} } as Record<Operation, Record<Side, number>>;
  for (const pair of [OPERATIONS.slice(0, 2), OPERATIONS.slice(2)]) {
    for (const side of rotated(SIDES, number)) {
      for (const operation of pair) {
        await sleep(PAUSE_MS);
        took[operation][side] = await timed(site, COMMANDS[operation](networks[side]));
      }
    }
  }
  return took;
}
