import { describe, expect, test } from '@jest/globals';
import type { RemotesByVni } from '../../src/model/peer.ts';
import type { Problem } from '../../src/model/problem.ts';
import type { GatewayStatus } from '../../src/model/status.ts';
import type { CycleView } from '../../src/reconcile/cycle.ts';
import { loadBootstrap } from '../../src/service/bootstrap.ts';
import { datapathParts } from '../../src/status/datapath-summary.ts';
import { gatewayStatus, type StatusParts } from '../../src/status/gateway-status.ts';
import { endpointStatuses, fdbEntries, networkStatuses } from '../../src/status/snapshot.ts';
import { bridge, macvlan, overlay, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import { link } from './support/kernel.ts';
import { converge, desired } from './support/planning.ts';
import { HEALTHY, PEER } from './support/status.ts';
import { mac, vni } from './support/values.ts';

const REMOTES: RemotesByVni = new Map([
  [
    vni(5),
    [
      {
        gateway: 'gw-b',
        vtep: { ip: '192.0.2.2', port: 4789 },
        macs: [{ m: mac('02:00:00:00:00:01'), ip: [], q: 0, s: 1 }],
      },
    ],
  ],
]);
const STATE = desired(
  { line: overlay(5, { peers: ['203.0.113.9'] }), cell: bridge('172.30.0.0/24'), plant: macvlan() },
  {
    w: workload({ line: { mac: '02:00:00:00:00:09' }, cell: { address: '172.30.0.9' } }, 's1'),
    late: workload({ cell: { address: '172.30.0.8' } }, 'gone'),
  },
);

function viewOf(kernel = newHost(), more: readonly (readonly [string, Problem])[] = []): CycleView {
  const { intent, waiting } = converge(kernel, STATE, REMOTES);
  const problems = new Map([...waiting, ...more]);
  return { document: STATE, complete: true, desired: STATE, intent, seen: kernel.observe(), steps: [], problems };
}

const failing = (code: Problem['code']): Problem => ({ path: '', code, message: `network/x: ${code}` });

describe('a snapshot', () => {
  test('says of each network what it stands on and who is on it', () => {
    expect(networkStatuses(viewOf(), REMOTES)).toMatchObject([
      {
        name: 'line',
        driver: 'overlay',
        mode: null,
        vni: 5,
        engine: 'kernel',
        mtu: 1450,
        endpoints: 1,
        peers: 2,
        problem: null,
      },
      { name: 'cell', driver: 'bridge', vni: null, engine: null, mtu: 1500, endpoints: 1, peers: 0, shim: 'lsb-cell' },
      { name: 'plant', driver: 'macvlan', mode: 'bridge', vni: null, mtu: 1500, endpoints: 0, peers: 0 },
    ]);
  });

  test('says on which VLAN it stands, or which it reaches', () => {
    const qinq = { vlan: 110, outerVlan: 20 };
    const state = desired({
      line: overlay(5, { stretch: { uplink: 'lan2', ...qinq } }),
      one: macvlan({ vlan: 110 }),
      two: macvlan(qinq),
      none: macvlan(),
    });
    expect(networkStatuses({ ...viewOf(), desired: state }, REMOTES)).toMatchObject([
      { name: 'line', vlan: 110, outer_vlan: 20 },
      { name: 'one', vlan: 110, outer_vlan: null },
      { name: 'two', vlan: 110, outer_vlan: 20 },
      { name: 'none', vlan: null, outer_vlan: null },
    ]);
  });

  test('of a network that waits has its reason and nothing made up', () => {
    const kernel = newHost();
    kernel.underlay = undefined;
    const [line] = networkStatuses(viewOf(kernel), REMOTES);
    expect(line).toMatchObject({ engine: null, mtu: null, shim: null, endpoints: 0 });
    expect(line?.problem).toContain('no underlay address yet');
  });

  test('shows a workload as the kernel has it, or what it waits for', () => {
    const kernel = newHost();
    converge(kernel, STATE, REMOTES);
    kernel.tamper('/run/netns/s1', 'eth1', { addresses: ['172.30.0.9/24', '172.30.0.99/24'] });
    const failed: Problem = { path: '', code: 'failed', message: 'device\n"busy"' };
    expect(endpointStatuses(viewOf(kernel, [['endpoint/late/cell', failed]]))).toMatchObject([
      {
        workload: 'w',
        network: 'line',
        mac: '02:00:00:00:00:09',
        sandbox: '/run/netns/s1',
        state: 'attached',
        problem: null,
      },
      { workload: 'w', network: 'cell', addresses: ['172.30.0.9/24', '172.30.0.99/24'], state: 'attached' },
      { workload: 'late', addresses: ['172.30.0.8/24'], state: 'failed', problem: 'device\n"busy"' },
    ]);
    expect(endpointStatuses(viewOf(kernel)).at(-1)).toMatchObject({
      state: 'waiting',
      problem: expect.stringContaining('ip netns add gone'),
    });
  });

  test('takes no foreign interface for a workload’s, whatever its alias', () => {
    const kernel = newHost(
      [],
      [link('eth0', 70, { alias: 'linkspan:gw-a:endpoint/w/line', mac: '02:66:66:66:66:66' })],
    );
    expect(endpointStatuses(viewOf(kernel))[0]).toMatchObject({ mac: '02:00:00:00:00:09', state: 'waiting' });
  });

  test('names the gateway behind every entry of the forwarding table', () => {
    const rows = fdbEntries(viewOf(), REMOTES, 'gw-a').map(
      (e) => `${e.network} ${e.vni} ${e.mac} ${e.vtep} ${e.gateway} ${e.origin}`,
    );
    expect(rows).toEqual([
      'line 5 02:00:00:00:00:09 192.0.2.1 gw-a local',
      'line 5 00:00:00:00:00:00 192.0.2.2 gw-b flood',
      'line 5 00:00:00:00:00:00 203.0.113.9  flood',
      'line 5 02:00:00:00:00:01 192.0.2.2 gw-b peer',
    ]);
    const unknown = fdbEntries(viewOf(), new Map(), 'gw-a').map(({ origin, gateway }) => `${origin} ${gateway}`);
    expect(unknown).toEqual(['local gw-a', 'flood ', 'flood ', 'static ']);
  });
});

const told = (rest: object): CycleView => {
  const state = desired({ line: overlay(5, { engine: 'user', peers: ['203.0.113.9'], ...rest }) });
  const kernel = newHost();
  const { intent, waiting } = converge(kernel, state, REMOTES);
  const seen = kernel.observe();
  return { document: state, complete: true, desired: state, intent, seen, steps: [], problems: waiting };
};

const rowsOf = (rest = {}): readonly string[] =>
  fdbEntries(told(rest), REMOTES, 'gw-a').map((e) => `${e.mac} ${e.vtep} ${e.gateway} ${e.origin}`);

const NOTHING = { drops: {}, suppressed: 0, datapath: null };

describe('a snapshot of a network of the user engine', () => {
  test('names its engine, and shows the table that the datapath was told', () => {
    expect(networkStatuses(told({}), REMOTES)[0]).toMatchObject({ engine: 'user', engine_reason: 'asked for' });
    expect(rowsOf()).toEqual([
      '00:00:00:00:00:00 203.0.113.9  flood',
      '00:00:00:00:00:00 192.0.2.2 gw-b flood',
      '02:00:00:00:00:01 192.0.2.2 gw-b peer',
    ]);
    expect(rowsOf({ bum: { multicast: '239.1.1.10' } })[0]).toBe('00:00:00:00:00:00 239.1.1.10  flood');
  });

  test('has the datapath’s counters, of which only those that count', () => {
    const view = told({});
    const { counters, ...rest } = view.seen.datapath ?? {};
    const counted = {
      ...counters,
      drops: { ...counters?.drops, storm: 3 },
      suppressed: 7,
      tap_writes: 4,
      received_frames: 10,
    };
    const networks = ['tso+uso', 'tso', null].map((offload) => ({ offload }));
    const status = { ...rest, networks, counters: counted } as unknown as CycleView['seen']['datapath'];
    expect(datapathParts(view, status)).toMatchObject({
      drops: { storm: 3 },
      suppressed: 7,
      datapath: {
        workers: 'two',
        batching: 'io_uring',
        offload: 'tso',
        rss_bytes: 60e6,
        received_frames: 10,
        segments_per_write: 2.5,
      },
    });
    expect(datapathParts(view, view.seen.datapath).datapath?.segments_per_write).toBeNull();
    expect(datapathParts(view, undefined)).toEqual(NOTHING);
    expect(datapathParts(viewOf(), view.seen.datapath)).toEqual(NOTHING);
  });
});

describe('the gateway’s status', () => {
  const bootstrap = loadBootstrap({ env: {}, flags: { gateway: 'gw-a', fleet: 'plant' } });
  const parts = (over: Partial<StatusParts> = {}): StatusParts => {
    const { version, epoch, broker, trust, config } = HEALTHY;
    const common = {
      bootstrap,
      version,
      epoch,
      broker,
      trust,
      config,
      firmware: null,
      uptimeMs: 61_999,
      starting: false,
      cycleAgeMs: 1000,
      view: viewOf(),
    };
    return {
      ...common,
      remotes: REMOTES,
      wifi: new Map(),
      peers: [PEER],
      datapath: undefined,
      guards: [],
      suppressed: 3,
      ...over,
    };
  };
  const healthOf = (over: Partial<StatusParts>): GatewayStatus['health'] => gatewayStatus(parts(over)).health;

  test('is put together from its parts', () => {
    const status = gatewayStatus(parts());
    expect(status).toMatchObject({ gateway: 'gw-a', fleet: 'plant', uptime_s: 61, epoch: 3, config: HEALTHY.config });
    expect(status.suppressed_requests).toBe(3);
    expect([status.networks.length, status.endpoints.length]).toEqual([3, 3]);
    expect(status.peers).toMatchObject([
      { gateway: 'gw-b', state: 'up' },
      { gateway: '', vtep: '203.0.113.9', vnis: [5], state: 'static' },
    ]);
  });

  test('before the first look has no networks and is not ready', () => {
    const status = gatewayStatus(parts({ view: undefined, cycleAgeMs: undefined, starting: true }));
    expect(status).toMatchObject({ networks: [], endpoints: [], peers: [PEER] });
    expect(status.health).toMatchObject({
      ok: false,
      ready: false,
      starting: true,
      reasons: ['the first look at the host is not done yet'],
    });
  });

  test('is well while something only waits or the broker is away', () => {
    const broker = { connected: false, url: '' };
    expect(healthOf({ broker, cycleAgeMs: 150_000 })).toEqual({ ok: true, ready: true, starting: false, reasons: [] });
  });

  test('is ill where something fails, with every reason', () => {
    const more = [
      ['network/x', failing('failed')],
      ['network/y', failing('name_taken')],
    ] as const;
    const reasons = ['network/x: failed', 'network/x: name_taken'];
    expect(healthOf({ view: viewOf(newHost(), more) })).toEqual({ ok: false, ready: true, starting: false, reasons });
  });

  test('is not ready once the loop has stopped turning', () => {
    expect(healthOf({ cycleAgeMs: 151_000 })).toMatchObject({
      ok: false,
      ready: false,
      reasons: [expect.stringContaining('151 s ago')],
    });
  });

  test.each(['mqtts://user:secret@broker:8883', 'mqtts://user:sec@ret@broker:8883', 'mqtts://secret@broker:8883'])(
    'shows no secret of the broker’s URL: %s',
    (url) => {
      expect(gatewayStatus(parts({ broker: { connected: true, url } })).broker.url).toBe('mqtts://broker:8883');
    },
  );
});
