import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LINUX } from '../../src/host/libc.ts';
import { type ObservedLink, readLinks } from '../../src/host/links.ts';
import { ask } from '../../src/host/netlink.ts';
import { generationQuestion, readGeneration } from '../../src/packet/nftables.ts';
import { fdbDump, readFdbEntry } from '../../src/packet/rtnetlink/fdb.ts';
import { readRoute, routeDump, routeQuestion } from '../../src/packet/rtnetlink/route.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';

/** What `ip -d -j address show` says of a link, as far as it is compared. */
type Told = {
  ifindex: number;
  ifname: string;
  address?: string;
  mtu: number;
  flags: string[];
  group: string;
  promiscuity: number;
  ifalias?: string;
  master?: string;
  linkinfo?: { info_kind?: string };
  addr_info: { local: string; prefixlen: number; scope: string; family: string }[];
};

const OURS = 'group 19539';
let lab: Lab;
let host: Namespace;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.namespace('nl');
  const other = await lab.namespace('nl2');
  await host.batch([
    `link add vx4 ${OURS} type vxlan id 5 dstport 4789 local 10.0.0.1 nolearning`,
    `link add vx6 ${OURS} type vxlan id 6 dstport 4790 local fd00::1`,
    'link add br0 type bridge stp_state 1 group_fwd_mask 8 mcast_snooping 0 ageing_time 20000',
    'link add port0 type veth peer name wire0',
    `link add away mtu 1400 type veth peer name eth0 netns ${other.name}`,
    'link add mv0 link wire0 type macvlan mode vepa',
    'link add vxg type vxlan id 7 dstport 4791 local 10.0.0.1 group 239.1.1.1 dev wire0',
    'tuntap add tap0 mode tap vnet_hdr',
    'tuntap add tun0 mode tun',
    'link set vx4 alias "linkspan:gw-é:network/o"',
    'link set port0 master br0',
    'link set port0 type bridge_slave isolated on hairpin on learning off',
    'address add 10.0.0.1/24 dev wire0',
    'address add 10.0.0.9 peer 10.0.0.8/32 dev wire0',
    'address add fd00::1/64 dev wire0 nodad',
    ...['wire0', 'port0', 'vx4', 'vx6'].map((name) => `link set ${name} up`),
    'route add 10.9.0.7 dev wire0 src 10.0.0.1 proto 76',
    'route add 10.10.0.0/16 dev wire0 src 10.0.0.1 proto 76 table 77',
    'route add default via 10.0.0.254',
    'route add fd01::/48 dev wire0 proto 76',
  ]);
  await host.exec('bridge', 'fdb', 'append', '02:00:00:00:00:01', 'dev', 'vx4', 'dst', '10.0.0.9', 'port', '99');
  await host.exec('bridge', 'fdb', 'append', '00:00:00:00:00:00', 'dev', 'vx6', 'dst', 'fd00::9');
});
afterAll(() => lab.close());

const named = (links: readonly ObservedLink[], name: string): ObservedLink | undefined =>
  links.find((link) => link.name === name);

describe('what the kernel says of links', () => {
  test('is what ip shows, of every kind', async () => {
    const told = await host.ipJson<Told[]>('-d', 'address', 'show');
    const links = await readLinks(host.path);
    expect(links.map(({ parent: _p, parentElsewhere: _e, port: _o, learns: _l, data: _d, ...link }) => link)).toEqual(
      told.map((raw) => ({
        index: raw.ifindex,
        name: raw.ifname,
        mac: raw.address ?? '',
        mtu: raw.mtu,
        up: raw.flags.includes('UP'),
        promiscuous: raw.promiscuity > 0,
        ours: raw.group === '19539',
        alias: raw.ifalias ?? '',
        master: raw.master,
        kind: raw.linkinfo?.info_kind ?? '',
        addresses: raw.addr_info
          .filter(({ family, scope }) => !(family === 'inet6' && scope === 'link'))
          .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
      })),
    );
  });

  test('tells what only one kind has, and who belongs to whom', async () => {
    const links = await readLinks(host.path);
    const wire = named(links, 'wire0')?.index;
    expect(named(links, 'vx4')?.data).toEqual({ id: 5, port: 4789, local: '10.0.0.1', learning: false });
    expect(named(links, 'vx6')?.data).toEqual({ id: 6, port: 4790, local6: 'fd00::1', learning: true });
    expect(named(links, 'vxg')?.data).toMatchObject({ group: '239.1.1.1', device: wire });
    expect(named(links, 'mv0')).toMatchObject({ data: { mode: 'vepa' }, parent: wire });
    expect(named(links, 'tap0')?.data).toEqual({ type: 'tap', vnet_hdr: true });
    expect(named(links, 'tun0')?.data).toEqual({ type: 'tun', vnet_hdr: false });
    expect(named(links, 'port0')?.port).toEqual({ isolated: true, hairpin: true });
    expect(named(links, 'port0')?.learns).toBe(false);
    expect(named(links, 'wire0')).toMatchObject({ port: undefined, learns: undefined });
    const told = { stp_state: 1, group_fwd_mask: 8, mcast_snooping: 0, ageing_time: 20_000, vlan_filtering: 0 };
    expect(named(links, 'br0')?.data).toMatchObject(told);
    expect(named(links, 'away')).toMatchObject({ parentElsewhere: true, parent: expect.any(Number) });
    expect(named(links, 'wire0')).not.toHaveProperty('parentElsewhere');
  });

  test('is whole, though it takes many receives and others come and go meanwhile', async () => {
    const crowd = Array.from({ length: 150 }, (_, n) => `link add crowd${n} type bridge`);
    await host.batch(crowd);
    const churn = [1, 2, 3, 4, 5].flatMap((n) => [`link add passing${n} type bridge`, `link del passing${n}`]);
    const looked = new AbortController();
    const stirred = (async (): Promise<void> => {
      while (!looked.signal.aborted) await host.batch(churn);
    })();
    for (let look = 0; look < 50; look += 1) {
      const links = await readLinks(host.path);
      expect(links.filter(({ name }) => name.startsWith('crowd'))).toHaveLength(crowd.length);
    }
    looked.abort();
    await stirred;
  });

  test('of a namespace that is gone is an error, not an empty list', async () => {
    await expect(readLinks(`${host.path}-gone`)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('routes: by who made them, in which table, from which address', async () => {
  const answers = await ask([routeDump(4), routeDump(6)], { path: host.path });
  const device = named(await readLinks(host.path), 'wire0')?.index;
  const routes = answers.flat().flatMap((message) => readRoute(message) ?? []);
  expect(routes.filter(({ protocol }) => protocol === 76)).toEqual([
    { to: '10.10.0.0/16', device, source: '10.0.0.1', protocol: 76, table: 77 },
    { to: '10.9.0.7', device, source: '10.0.0.1', protocol: 76, table: 254 },
    { to: 'fd01::/48', device, source: undefined, protocol: 76, table: 254 },
  ]);
});

test('the way to an address, or why there is none', async () => {
  const [answer = []] = await ask([routeQuestion('192.0.2.1')], { path: host.path });
  expect(answer.flatMap((message) => readRoute(message) ?? [])).toMatchObject([{ source: '10.0.0.1' }]);
  await expect(ask([routeQuestion('2001:db8::1')], { path: host.path })).rejects.toMatchObject({ code: 'ENETUNREACH' });
});

test('the forwarding table of one device at a time', async () => {
  const links = await readLinks(host.path);
  const indexes = ['vx4', 'vx6'].map((name) => named(links, name)?.index ?? 0);
  const answers = await ask(
    indexes.map((index) => fdbDump(index)),
    { path: host.path },
  );
  const entries = answers.map((answer) => answer.flatMap((message) => readFdbEntry(message) ?? []));
  expect(entries).toEqual([
    [{ index: indexes[0], mac: '02:00:00:00:00:01', ip: '10.0.0.9', port: 99, permanent: true }],
    [{ index: indexes[1], mac: '00:00:00:00:00:00', ip: 'fd00::9', port: undefined, permanent: true }],
  ]);
});

test('the number of the ruleset changes with the rules, and not with what they count', async () => {
  const number = async (): Promise<number | undefined> => {
    const options = { path: host.path, protocol: LINUX.NETLINK_NETFILTER };
    const [answer = []] = await ask([generationQuestion()], options);
    return answer.map((message) => readGeneration(message)).find((found) => found !== undefined);
  };
  const nft = (...words: readonly string[]): Promise<unknown> => host.exec('nft', ...words);
  const before = await number();
  await nft('add table inet t; add chain inet t c { type filter hook output priority 0; }; add rule inet t c counter');
  const after = await number();
  expect(after).not.toBe(before);
  await host.reaches('127.0.0.1');
  expect(await number()).toBe(after);
  await nft('delete table inet t');
  expect(await number()).not.toBe(after);
});
