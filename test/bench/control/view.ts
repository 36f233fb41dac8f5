import { availableParallelism } from 'node:os';
import type { Lab } from '../../lab/lab.ts';
import type { Broker } from './broker.ts';
import { Worker } from './crew.ts';
import { now } from './instant.ts';
import type { Shape } from './shape.ts';
import type { Signing } from './signing.ts';

/** Whole gateways among light ones, each in a process of its own. */
const WHOLE = 10;

/**
 * What a gateway sees that does not share its processor with the rest of its fleet: all start at once, but only ten are
 * whole. Returns how many milliseconds each of these took to know everything.
 */
export async function takeView(
  lab: Lab,
  broker: Broker,
  shape: Shape,
  signing: Signing | undefined,
): Promise<readonly number[]> {
  const every = Math.floor(shape.gateways / WHOLE);
  const whole = Array.from({ length: WHOLE }, (_, nth) => nth * every);
  const rest = Array.from({ length: shape.gateways }, (_, index) => index).filter((index) => !whole.includes(index));
  const build = async (worker: Worker, members: readonly number[]): Promise<Worker> => {
    await worker.ask('build', { gateways: shape.gateways, members, epoch: 1, access: broker.access, signing });
    return worker;
  };
  const processes = availableParallelism();
  const lights = Array.from({ length: processes }, (_, nth) =>
    build(
      Worker.start(lab, 'light'),
      rest.filter((index) => index % processes === nth),
    ),
  );
  const workers = await Promise.all([...whole.map((index) => build(Worker.start(lab), [index])), ...lights]);
  const began = now();
  const known = await Promise.all(workers.map((worker) => worker.ask('start', null)));
  await Promise.all(workers.map((worker) => worker.ask('stop', null)));
  return known.slice(0, WHOLE).flatMap((at) => at.map((then) => then - began));
}
