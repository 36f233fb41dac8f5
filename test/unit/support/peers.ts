import type { Alive, MacEntry, PeerRecord } from '../../../src/model/peer.ts';
import { encodeAlive } from '../../../src/peers/alive.ts';
import { PeerDirectory } from '../../../src/peers/directory.ts';
import type { PeerStore } from '../../../src/peers/peer-store.ts';
import { Publisher, type LocalState, type Publication } from '../../../src/peers/publisher.ts';
import { encodeRecord } from '../../../src/peers/record.ts';
import { MemoryStore } from './peer-store.ts';
import { mac, vni } from './values.ts';

export const [LINE1, LINE2] = [vni(10110), vni(10120)];
export const entry = (text: string, q = 0, s: 0 | 1 = 1): MacEntry => ({ m: mac(text), ip: ['10.110.0.21'], q, s });

export function setup(store: PeerStore = new MemoryStore()): {
  directory: PeerDirectory;
  events: string[];
  store: PeerStore;
} {
  const events: string[] = [];
  const clock = { now: () => 1_000_000, monotonic: () => 0 };
  const onEvent = (type: string): void => void events.push(type);
  return { directory: new PeerDirectory({ fleet: 'plant', gateway: 'gw-a', store, clock, onEvent }), events, store };
}

export const record = (over: Partial<PeerRecord> = {}): PeerRecord => ({
  v: 1,
  fleet: 'plant',
  vni: LINE1,
  gw: 'gw-b',
  epoch: 1,
  seq: 5,
  iat: 1000,
  exp: 87_400,
  vtep: [{ ip: '198.51.100.2', port: 4789 }],
  mtu: 1450,
  bum: 'replicate',
  caps: [],
  macs: [entry('02:00:00:00:00:01')],
  pages: 0,
  ...over,
});
export const alive = (over: Partial<Alive> = {}): Alive => ({
  v: 1,
  gw: 'gw-b',
  epoch: 1,
  seq: 6,
  state: 'up',
  vteps: [],
  vnis: {},
  ...over,
});

export const give = (directory: PeerDirectory, r: PeerRecord): string =>
  directory.receiveRecord({ fleet: r.fleet, vni: r.vni, gw: r.gw }, encodeRecord(r));
export const tell = (directory: PeerDirectory, a: Alive): string => directory.receiveAlive(a.gw, encodeAlive(a));
export const held = (directory: PeerDirectory): string[] => directory.remotes(LINE1).map(({ gateway }) => gateway);

export const pagedTable = Array.from({ length: 401 }, (_, n) =>
  entry(`02:00:00:01:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`),
);

export function deliver(directory: PeerDirectory, publication: Publication): void {
  const { kind, payload } = publication;
  if (kind === 'alive') directory.receiveAlive('gw-b', payload);
  else if (publication.page > 0) directory.receivePage({ fleet: 'plant', gw: 'gw-b', ...publication }, payload);
  else directory.receiveRecord({ fleet: 'plant', vni: publication.vni, gw: 'gw-b' }, publication.payload);
}

export function state(vnis: Record<number, number>): LocalState {
  const networks = Object.entries(vnis).map(([id, n]) => ({
    vni: vni(Number(id)),
    mtu: 1450,
    bum: 'replicate',
    // 3: of three pages, of which the life's next step changes one or all
    macs: n === 3 ? pagedTable : [entry(`02:00:00:00:01:0${n}`), ...(n === 2 ? pagedTable.slice(150) : [])],
  }));
  return { vteps: [{ ip: '198.51.100.2', port: 4789 }], networks };
}

export const born = (epoch: number): Publisher =>
  new Publisher({ fleet: 'plant', gateway: 'gw-b', epoch, clock: { now: () => 1e9, monotonic: () => 0 } });
