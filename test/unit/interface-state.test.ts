import { expect, test } from '@jest/globals';
import { neighboursOf, routesOf } from '../../src/host/interface-state.ts';

/** As `ip -o route show table all` of iproute2 6.1 prints it, a backslash for each line's end within a route. */
const LISTING = [
  'default via 10.9.0.254 dev eth0 table 200 linkdown ',
  'default nhid 7 via 10.9.0.1 dev eth0 proto static linkdown ',
  '10.9.0.0/24 dev eth0 proto kernel scope link src 10.9.0.5 linkdown ',
  '10.50.0.0/16 via 10.9.9.1 dev eth0 src 10.9.9.9 metric 7 linkdown mtu 1300 ',
  '10.52.0.0/16 via 192.168.99.1 dev eth0 onlink dead ',
  String.raw`10.60.0.0/16 linkdown \	nexthop via 10.9.0.7 dev eth0 weight 1 linkdown \	nexthop via 10.9.0.8 dev eth1 weight 2 `,
  '10.61.0.0/16 via 10.8.0.1 dev eth01 ',
  'local 10.9.0.5 dev eth0 table local proto kernel scope host src 10.9.0.5 ',
  'broadcast 10.9.0.255 dev eth0 table local proto kernel scope link src 10.9.0.5 linkdown ',
  'default via fe80::1 dev eth0 proto ra metric 1024 expires 1799sec hoplimit 64 pref medium',
  'multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium',
].join('\n');

test('of a listing, those routes of the interface are kept that nobody makes again, in the words that ip takes', () => {
  expect(routesOf(LISTING, 'eth0')).toEqual([
    'default via 10.9.0.254 dev eth0 table 200',
    'default via 10.9.0.1 dev eth0 proto static',
    '10.50.0.0/16 via 10.9.9.1 dev eth0 src 10.9.9.9 metric 7 mtu 1300',
    '10.52.0.0/16 via 192.168.99.1 dev eth0 onlink',
    '10.60.0.0/16 nexthop via 10.9.0.7 dev eth0 weight 1 nexthop via 10.9.0.8 dev eth1 weight 2',
    'default via fe80::1 dev eth0 proto ra metric 1024 expires 1799 hoplimit 64 pref medium',
  ]);
});

test('of neighbours, those that can be sent to are kept: what was set for good, for good', () => {
  const [lladdr, dev] = ['02:00:00:00:00:01', 'eth0'];
  const listing = [
    { dst: '10.9.0.1', dev, lladdr, state: ['REACHABLE'] },
    { dst: '10.9.0.2', dev, state: ['INCOMPLETE'] },
    { dst: '10.9.0.3', dev, lladdr, state: ['FAILED'] },
    { dst: 'fe80::1', dev, lladdr, router: null, state: ['DELAY'] },
    { dst: '10.9.0.4', dev, lladdr, state: ['PERMANENT'] },
  ];
  expect(neighboursOf(listing)).toEqual([
    `10.9.0.1 lladdr ${lladdr} nud stale`,
    `fe80::1 lladdr ${lladdr} nud stale`,
    `10.9.0.4 lladdr ${lladdr} nud permanent`,
  ]);
});
