import type { BrokerAccess } from '../../../src/control/session/session.ts';
import { systemClock } from '../../../src/service/clock.ts';
import { Member } from './member.ts';
import { Shape } from './shape.ts';

/**
 * A process of the bench in which an hour passes in 50 ms: the clock runs that fast, and waits of a minute and more are
 * as much shorter. Shorter waits, keepalive and what brokers are asked, stay as they are. It ends with its channel.
 */
const SPEED = 3_600_000 / 50;
const LONG_MS = 60_000;

export type IdleOrder = { readonly gateways: number; readonly access: BrokerAccess };

const began = systemClock.now();
const clock = {
  now: () => began + (systemClock.now() - began) * SPEED,
  // what is measured against it are the waits that stay as they are
  monotonic: () => systemClock.monotonic(),
};

const realTimeout = globalThis.setTimeout;
const shortened = (act: () => void, ms = 0, ...rest: []): NodeJS.Timeout =>
  realTimeout(act, ms >= LONG_MS ? ms / SPEED : ms, ...rest);
globalThis.setTimeout = Object.assign(shortened, { __promisify__: realTimeout.__promisify__ });

process.once('message', ({ gateways, access }: IdleOrder) => {
  const shape = new Shape(gateways);
  const members = Array.from({ length: gateways }, (_, index) => new Member(shape, index, { epoch: 1, access, clock }));
  void Promise.all(members.map((member) => member.start())).then(() => process.send?.('known'));
});
process.on('disconnect', () => process.exit());
