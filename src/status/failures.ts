import type { Problem, ProblemCode } from '../model/problem.ts';
import type { GatewayEvent } from '../model/status.ts';

type Problems = ReadonlyMap<string, Problem>;
export type Failure = { readonly type: string; readonly level: GatewayEvent['level']; readonly message: string };

/** Problems that are an event when they begin, by the kind of object that has them and their code. */
const TOLD = new Map<`${'endpoint' | 'network' | 'uplink'} ${ProblemCode}`, Omit<Failure, 'message'>>([
  ['endpoint failed', { type: 'endpoint.failed', level: 'error' }],
  ['endpoint duplicate_mac', { type: 'duplicate_mac', level: 'warning' }],
  ['endpoint duplicate_address', { type: 'duplicate_address', level: 'warning' }],
  ['network loop', { type: 'loop.cut', level: 'warning' }],
  ['uplink mac_limit', { type: 'uplink.mac_limit', level: 'warning' }],
  ['uplink wifi_failed', { type: 'uplink.wifi_failed', level: 'error' }],
  ['uplink wifi_lost', { type: 'uplink.wifi_lost', level: 'warning' }],
]);

/** What has begun, or is over, since the look before: each trouble is told once, however long it lasts or often it is tried. */
export function newFailures(before: Problems | undefined, now: Problems): readonly Failure[] {
  const begun = [...now].flatMap(([object, { code, message }]) => {
    const [kind = ''] = object.split('/');
    const told = TOLD.get(`${kind} ${code}` as `endpoint ${ProblemCode}`);
    return told === undefined || before?.get(object)?.code === code ? [] : [{ ...told, message }];
  });
  return [...begun, ...over(before ?? new Map(), now)];
}

/** A loop comes and goes by what others do, and nobody's own act says that it is over. */
function over(before: Problems, now: Problems): readonly Failure[] {
  const gone = [...before].filter(([object, { code }]) => code === 'loop' && now.get(object)?.code !== 'loop');
  return gone.map(([object]) => ({
    type: 'loop.gone',
    level: 'info',
    message: `${object.replace('/', ' ')}: the second way is gone; no longer cut off from its VLAN`,
  }));
}
