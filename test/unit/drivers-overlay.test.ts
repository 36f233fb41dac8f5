import { expect, test } from '@jest/globals';
import type { HostView } from '../../src/drivers/driver.ts';
import { overlay } from '../../src/drivers/overlay.ts';
import { FLOOD } from '../../src/host/fdb.ts';
import type { OverlayNetwork } from '../../src/model/network.ts';
import type { Remote } from '../../src/model/peer.ts';
import { tunnelMac } from '../../src/model/tunnel.ts';
import { mac } from './support/values.ts';
import { isVni } from '../../src/model/vni.ts';

const vni = 10_110;
if (!isVni(vni)) throw new Error(`${vni} is no VNI`);
const OWN = '198.51.100.1';
const HOST: HostView = {
  gateway: 'gw-a',
  links: [],
  underlay: { address: OWN, device: 'wan0', index: 2, mtu: 1500, joins: true },
  port: 4789,
  engines: { vxlan: true, preferred: 'auto', datapath: { socket: '', running: false }, networks: [] },
};
const USER: HostView = { ...HOST, engines: { ...HOST.engines, datapath: { socket: '', running: true } } };
const network: OverlayNetwork = {
  driver: 'overlay',
  name: 'line',
  vni,
  engine: 'auto',
  subnets: [],
  gateways: [],
  peers: [OWN, '203.0.113.9'],
  bum: { kind: 'replicate' },
};
const remote = (gateway: string, ip: string): Remote => ({ gateway, vtep: { ip, port: 4789 }, macs: [] });

test('the flood list has each VTEP once, and never our own', () => {
  const remotes = [remote('old-name', OWN), remote('gw-b', '198.51.100.2'), remote('gw-c', '198.51.100.2')];
  const spec = overlay.specify(network, [], remotes, HOST);
  const rows = 'fdb' in spec ? spec.fdb.map(({ row }) => row) : [];
  expect(rows).toEqual(['198.51.100.2', '203.0.113.9'].map((ip) => ({ mac: FLOOD, ip, port: undefined })));
});

test('a peer that answers no probe is flooded to no more, and keeps its entries and its word', () => {
  const entry = { m: mac('02:00:00:00:00:21'), ip: ['10.110.0.21'], q: 0, s: 1 } as const;
  const silent: Remote = { ...remote('gw-b', '198.51.100.2'), macs: [entry], away: true, down: true };
  const spec = overlay.specify({ ...network, peers: [] }, [], [silent], HOST);
  if (!('fdb' in spec)) throw new Error('it does not stand');
  expect(spec.fdb.map(({ row }) => row)).toEqual([{ mac: entry.m, ip: '198.51.100.2', port: undefined }]);
  expect(spec.guards?.sources?.addresses).toEqual(['198.51.100.2']);
  const user = overlay.specify({ ...network, engine: 'user' }, [], [silent], USER);
  expect('datapath' in user && user.datapath?.peers).toContainEqual(
    expect.objectContaining({ vtep: silent.vtep, macs: [entry.m], silent: true }),
  );
});

test('a peer is asked through VXLAN by the way of its frames, with either engine, and answered by its MAC alone', () => {
  const probe = mac('02:00:00:00:00:99');
  const asked: Remote = { ...remote('gw-b', '198.51.100.2'), probe };
  const other = remote('gw-c', '198.51.100.3');
  const spec = overlay.specify({ ...network, peers: [] }, [], [asked, other], { ...HOST, fleet: 'plant' });
  if (!('fdb' in spec)) throw new Error('it does not stand');
  expect(spec.fdb.map(({ row }) => row)).toContainEqual({ mac: probe, ip: '198.51.100.2', port: undefined });
  expect(spec.guards?.tunnel).toEqual({ own: tunnelMac('plant', vni, 'gw-a'), peers: [probe] });
  const user = overlay.specify({ ...network, engine: 'user' }, [], [asked, other], { ...USER, fleet: 'plant' });
  expect('datapath' in user && user.datapath?.peers.map(({ macs }) => macs)).toEqual([[], [probe], []]);
  expect('guards' in user && user.guards.tunnel?.peers).toEqual([probe]);
});

test.each([
  [1500, undefined],
  [1400, 1350],
  [68, 576],
])('of a way that passes %i bytes, %s are left to TCP', (pathMtu, left) => {
  const narrow: Remote = { ...remote('gw-b', '198.51.100.2'), pathMtu };
  const spec = overlay.specify(network, [], [narrow, remote('gw-c', '198.51.100.3')], HOST);
  expect('guards' in spec && spec.guards).toMatchObject({ path: left });
  const user = overlay.specify({ ...network, engine: 'user' }, [], [narrow], USER);
  const [, told] = ('datapath' in user && user.datapath?.peers) || [];
  expect([told?.vtep.ip, told?.mtu]).toEqual(['198.51.100.2', left]);
});
