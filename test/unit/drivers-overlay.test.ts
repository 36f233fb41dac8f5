import { expect, test } from '@jest/globals';
import type { HostView } from '../../src/drivers/driver.ts';
import { overlay } from '../../src/drivers/overlay.ts';
import { FLOOD } from '../../src/host/fdb.ts';
import type { OverlayNetwork } from '../../src/model/network.ts';
import type { Remote } from '../../src/model/peer.ts';
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
