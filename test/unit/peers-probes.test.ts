import { describe, expect, test } from '@jest/globals';
import type { Alive } from '../../src/model/peer.ts';
import { PeerDirectory } from '../../src/peers/directory.ts';
import type { Probed } from '../../src/peers/liveness/probed.ts';
import type { PulseState } from '../../src/peers/liveness/pulse.ts';
import { digestOf } from '../../src/peers/record.ts';
import { MemoryStore } from './support/peer-store.ts';
import { alive, entry, give, LINE1, record, tell } from './support/peers.ts';
import { TUNNEL_PROBE, tunnelMac } from '../../src/model/tunnel.ts';

const IP = '198.51.100.2';

/** Alive, and its record holds. */
const listing = (over: Partial<Alive> = {}): Alive =>
  alive({ vnis: { [LINE1]: [5, digestOf(record({ gw: over.gw ?? 'gw-b' }))] }, ...over });

function probing(): {
  directory: PeerDirectory;
  say: (state: PulseState, tunnel?: PulseState) => void;
  events: string[];
  hurried: string[];
  at: { now: number; broker: boolean };
} {
  const [events, hurried]: [string[], string[]] = [[], []];
  const probed = new Map<string, Probed>();
  const at = { now: 10_000, broker: true };
  const directory = new PeerDirectory({
    fleet: 'plant',
    gateway: 'gw-a',
    store: new MemoryStore(),
    clock: { now: () => 1_000_000, monotonic: () => at.now },
    isOnBroker: () => at.broker,
    onEvent: (type) => void events.push(type),
    probes: { of: (ip) => probed.get(ip), hurry: (ip) => void hurried.push(ip) },
  });
  give(directory, record());
  tell(directory, listing());
  events.length = 0;
  const say = (state: PulseState, tunnel?: PulseState): void => {
    const found = { state, rtt: state === 'unprobed' ? undefined : 1.234, answered: at.now, pathMtu: 1400 };
    probed.set(IP, { ...found, ...(tunnel && { tunnel: { state: tunnel, rtt: 2.345 } }) });
    directory.probed(IP);
  };
  return { directory, say, events, hurried, at };
}

const stateOf = (directory: PeerDirectory): string | undefined => directory.peers()[0]?.state;
const downOf = (directory: PeerDirectory): unknown => directory.remotes(LINE1)[0]?.down;

describe('who decides that a peer is dead', () => {
  test('its silence: it is down, keeps its entries, and its MACs are anybody’s', () => {
    const { directory, say, events } = probing();
    say('up');
    say('suspect');
    expect([stateOf(directory), downOf(directory), events]).toEqual(['suspect', undefined, []]);
    say('down');
    expect([stateOf(directory), downOf(directory), events]).toEqual(['down', true, ['peer_down']]);
    expect(directory.remotes(LINE1)[0]).toMatchObject({ away: true, macs: [{ m: '02:00:00:00:00:01' }] });
    // another gateway claims the MAC, whose name would lose against one that lives
    give(
      directory,
      record({ gw: 'gw-c', vtep: [{ ip: '198.51.100.3', port: 4789 }], macs: [entry('02:00:00:00:00:01')] }),
    );
    tell(directory, listing({ gw: 'gw-c' }));
    expect(directory.remotes(LINE1).map(({ gateway, macs }) => [gateway, macs.length])).toEqual([
      ['gw-b', 0],
      ['gw-c', 1],
    ]);
  });

  test('its first answer: it is up again, and that is told once', () => {
    const { directory, say, events } = probing();
    for (const state of ['up', 'down', 'up', 'suspect', 'up'] as const) say(state);
    expect([stateOf(directory), downOf(directory), events]).toEqual(['up', undefined, ['peer_down', 'peer_answers']]);
  });

  test('not its will: it is asked at once, and while it answers frames go on to it', () => {
    const { directory, say, hurried } = probing();
    say('up');
    tell(directory, alive({ seq: 9, state: 'down' }));
    expect([hurried, stateOf(directory), downOf(directory)]).toEqual([[IP], 'suspect', undefined]);
  });

  test('nor a silence that the broker contradicts for a minute: its site may have begun to drop ICMP', () => {
    const { directory, say, at } = probing();
    say('up');
    say('down');
    at.now += 60_000;
    expect([stateOf(directory), downOf(directory)]).toEqual(['suspect', undefined]);
    at.broker = false;
    expect([stateOf(directory), downOf(directory)]).toEqual(['down', true]);
    at.broker = true;
    tell(directory, alive({ seq: 9, state: 'down' }));
    expect([stateOf(directory), downOf(directory)]).toEqual(['down', true]);
  });

  test('nor a silence that never was anything else: its site may drop ICMP', () => {
    const { directory, say, events } = probing();
    say('unprobed');
    expect([stateOf(directory), downOf(directory), events]).toEqual(['up', undefined, []]);
    tell(directory, alive({ seq: 9, state: 'down' }));
    expect([stateOf(directory), downOf(directory)]).toEqual(['suspect', undefined]);
  });
});

test('the status has what the probes found', () => {
  const { directory, say } = probing();
  say('up');
  expect(directory.peers()).toMatchObject([{ vtep: IP, rtt_ms: 1.23, path_mtu: 1400, last_seen_s: 0 }]);
});

/** Looks every five seconds, as the service does. */
function look({ directory, at }: ReturnType<typeof probing>, seconds: number): void {
  for (let passed = 0; passed <= seconds; passed += 5, at.now += 5000) directory.lookAtTunnels();
}

describe('VXLAN that does not get to a peer that is there', () => {
  const silent = 'peer_tunnel_silent';

  test.each(['down', 'unprobed'] as const)(
    '(%s) is told once it is sure, costs nothing, and is told when it does again',
    (tunnel) => {
      const all = probing();
      const { directory, say, events } = all;
      say('up', tunnel);
      look(all, 5);
      expect([events, directory.peers()[0]?.datapath]).toEqual([[], null]);
      look(all, 30);
      expect(events).toEqual([silent]);
      expect([stateOf(directory), downOf(directory), directory.peers()[0]?.datapath]).toEqual([
        'up',
        undefined,
        'silent',
      ]);
      say('up', 'up');
      look(all, 0);
      expect([events, directory.peers()[0]]).toMatchObject([
        [silent, 'peer_tunnel_answers'],
        { datapath: 'ok', datapath_rtt_ms: 2.35 },
      ]);
    },
  );

  test('is nothing to tell where its gateway or this one is off the broker, it is dead, or it answers no such probes', () => {
    const all = probing();
    const { directory, say, events, at } = all;
    at.broker = false;
    say('up', 'down');
    look(all, 60);
    at.broker = true;
    say('up');
    look(all, 60);
    expect([events, directory.peers()[0]?.datapath]).toEqual([[], null]);
    say('down', 'down');
    look(all, 30);
    expect(events).toEqual(['peer_down']);
    say('up', 'down');
    tell(directory, alive({ seq: 9, state: 'down' }));
    look(all, 60);
    expect(events).not.toContain(silent);
  });
});

test('a peer that says so is asked by its own MAC, and nobody else’s record claims that one', () => {
  const { directory } = probing();
  const asked = tunnelMac('plant', LINE1, 'gw-b');
  expect(directory.remotes(LINE1)[0]).not.toHaveProperty('probe');
  give(directory, record({ seq: 9, caps: ['other', TUNNEL_PROBE] }));
  give(directory, record({ gw: 'gw-c', macs: [entry(asked), entry('02:00:00:00:00:07')] }));
  expect(directory.remotes(LINE1).map(({ probe, macs }) => [probe, macs.map(({ m }) => m)])).toEqual([
    [asked, ['02:00:00:00:00:01']],
    [undefined, ['02:00:00:00:00:07']],
  ]);
});
