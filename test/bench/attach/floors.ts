import type { Floored } from '../floors.ts';
import { held } from '../floors.ts';
import { OPERATIONS } from './operations.ts';
import type { AcrossReport, GatewayReport, Where } from './report.ts';

const JOIN_MS = 10;
const JOIN = 'NetworkDriver.Join';

const toDocker = (lab: Where, what: string, value: number): Floored<Where> =>
  held({ lab, what: `${what}, to Docker's`, bound: 'at most', limit: 1, unit: '', value });

/** What the driver is held to: no slower than Docker's own on a gateway, sooner there across sites. */
export function attachFloors(gateway: GatewayReport, across: readonly AcrossReport[]): readonly Floored<Where>[] {
  const join = gateway.calls[JOIN]?.p99 ?? null;
  return [
    ...OPERATIONS.map((operation) => toDocker('one', operation, gateway.operations[operation].ratio.median)),
    held({ lab: 'one', what: 'Join, 99th percentile', bound: 'at most', limit: JOIN_MS, unit: 'ms', value: join }),
    ...across.map(({ lab, firstReply }) => toDocker(lab, 'first reply', firstReply.ratio.median)),
  ];
}
