// Run by the broker tests in a namespace: the control planes of many gateways in one process, all begun at once. Says in
// JSON, whenever that changes, how many of them hold everything that the others publish.
import { GatewaySession } from '../../../src/control/session/gateway-session.ts';
import { parseMac } from '../../../src/model/mac.ts';
import type { Vni } from '../../../src/model/vni.ts';
import { openGate } from '../../unit/support/trust.ts';
import { vni } from '../../unit/support/values.ts';
import { PeerDirectory } from '../../../src/peers/directory.ts';
import { type LocalState, Publisher } from '../../../src/peers/publisher.ts';
import { systemClock } from '../../../src/service/clock.ts';
import { MemoryStore } from '../../unit/support/peer-store.ts';
import type { MembersSaid } from './members.ts';

const LOOK_MS = 50;
const [, , urls = '', count = '0', networks = '4', of = '4', macs = '10'] = process.argv;
const members = Array.from({ length: Number(count) }, (_, index) => index);
const nodes = urls.split(',');
const clock = systemClock;

/** The VNIs of the gateway of that index: `networks` of the `of` that there are. */
const vnisOf = (index: number): readonly Vni[] =>
  Array.from({ length: Number(networks) }, (_, at) => vni(10_000 + ((index + at) % Number(of))));

function local(index: number): LocalState {
  const mac = (at: number): string =>
    `02:00:00:${[index >> 8, index & 255, at].map((n) => n.toString(16).padStart(2, '0')).join(':')}`;
  const table = Array.from({ length: Number(macs) }, (_, at) => parseMac(mac(at))).flatMap((m) => (m ? [m] : []));
  return {
    vteps: [{ ip: `198.51.100.${index + 1}`, port: 4789 }],
    networks: vnisOf(index).map((id) => ({
      vni: id,
      mtu: 1450,
      bum: 'replicate',
      macs: table.map((m) => ({ m, ip: [], q: 0, s: 1 })),
    })),
  };
}

function begin(index: number): () => boolean {
  const common = { fleet: 'plant', gateway: `gw-${index}`, clock, onEvent: () => undefined };
  const directory = new PeerDirectory({ ...common, store: new MemoryStore() });
  const session = new GatewaySession({
    ...common,
    directory,
    publisher: new Publisher({ ...common, epoch: 1 }),
    mqtt: { url: [...nodes.slice(index % nodes.length), ...nodes.slice(0, index % nodes.length)].join(',') },
    trust: openGate(),
    clockIsRight: () => true,
    onDesired: () => undefined,
    onRequest: async () => undefined,
    onEpochBehind: () => undefined,
  });
  session.setLocal(local(index));
  session.start();
  const others = (id: Vni): number => members.filter((other) => other !== index && vnisOf(other).includes(id)).length;
  const expected = vnisOf(index).map((id) => [id, others(id)] as const);
  return () => expected.every(([id, number]) => directory.remotes(id).length === number);
}

const started = performance.now();
const isWhole = members.map(begin);
let whole = -1;
setInterval(() => {
  const now = isWhole.filter((holds) => holds()).length;
  if (now === whole) return;
  whole = now;
  const said: MembersSaid = { ms: Math.round(performance.now() - started), whole };
  process.stdout.write(`${JSON.stringify(said)}\n`);
}, LOOK_MS);
