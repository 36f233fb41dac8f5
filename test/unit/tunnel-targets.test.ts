import { expect, test } from '@jest/globals';
import { tunnelTargets } from '../../src/control/probes/tunnel-targets.ts';
import { DEFAULT_GUARDS } from '../../src/model/guards.ts';
import type { Remote } from '../../src/model/peer.ts';
import type { CycleView } from '../../src/reconcile/cycle.ts';
import { mac, vni } from './support/values.ts';

const [VNI, IP] = [vni(10_110), '198.51.100.2'];
const [OWN, OLD, NEW] = [mac('02:00:00:00:00:0a'), mac('02:00:00:00:00:0b'), mac('02:00:00:00:00:0c')];

/** What of a cycle says where peers can be asked. */
function view(peers: readonly ReturnType<typeof mac>[]): CycleView {
  const guards = { device: 'lsx-line', object: 'network/line', guards: DEFAULT_GUARDS, port: 4789, sources: undefined };
  const links = [
    { name: 'lo', up: true, index: 1 },
    { name: 'lsx-line', up: true, index: 7 },
  ];
  return {
    desired: { networks: [{ name: 'line', driver: 'overlay', vni: VNI }] },
    intent: { networks: new Map([['line', { guards: { ...guards, tunnel: { own: OWN, peers } } }]]) },
    seen: { links, guards: { tunnel: true } },
    problems: new Map(),
  } as unknown as CycleView;
}

const remote = (gateway: string, over: Partial<Remote>): Remote => ({
  gateway,
  vtep: { ip: IP, port: 4789 },
  macs: [],
  ...over,
});

function asked(known: CycleView, ...remotes: readonly Remote[]): unknown {
  return [...tunnelTargets(known, new Map([[VNI, remotes]]), new Set([IP]))].map(([ip, { to }]) => [ip, to]);
}

test('a peer is asked once a cycle knows it: before, what goes to it is flooded to all, foreign VTEPs too', () => {
  expect(asked(view([]), remote('gw-b', { probe: OLD }))).toEqual([]);
  expect(asked(view([OLD]), remote('gw-b', { probe: OLD }))).toEqual([[IP, OLD]]);
});

test('an address is asked by the name of the gateway that is there, and by none that has left it', () => {
  const [left, here] = [remote('gw-a', { probe: OLD, away: true }), remote('gw-b', { probe: NEW })];
  const known = view([OLD, NEW]);
  expect(asked(known, left)).toEqual([[IP, OLD]]);
  expect(asked(known, left, here)).toEqual([[IP, NEW]]);
  expect(asked(known, left, remote('gw-b', {}))).toEqual([]);
});
