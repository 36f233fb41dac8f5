import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ENGINES } from '../lab/docker-engines.ts';
import { SERVICE_FLAGS } from '../lab/flags.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { builtService } from '../netns/support/built.ts';
import { apply } from '../netns/support/documents.ts';
import { DockerSite } from './support/site.ts';

const CREATE = ['network', 'create', '-d', 'linkspan'] as const;
const MACVLAN = [...CREATE, '-o', 'parent=lan0', '--subnet', '10.20.0.0/24'] as const;
const PLANT = { driver: 'macvlan', uplink: 'lan', subnet: '10.20.0.0/24', gateway: '10.20.0.10' } as const;

describe.each(ENGINES)('with the %s engine', (engine) => {
  let lab: Lab;
  let host: Namespace;
  let plc: Namespace;
  let site: DockerSite;
  const docker = (...args: readonly string[]): Promise<string> => site.docker(...args);
  const refusal = async (...args: readonly string[]): Promise<string> => {
    const { code, stderr } = await site.dockerd.attempt(...args);
    return code === 0 ? 'accepted' : stderr;
  };

  beforeAll(async () => {
    lab = new Lab();
    host = await lab.namespace('gw');
    plc = await lab.namespace('plc');
    await lab.veth(host, 'lan0', plc, 'eth0');
    await plc.ip('address', 'add', '10.20.0.10/24', 'dev', 'eth0');
    await host.ip('address', 'add', '10.20.0.1/24', 'dev', 'lan0');
    const config = {
      gateway: 'gw-a',
      mqtt: { embedded: { listen: '127.0.0.1:0' } },
      underlay: { address: '10.20.0.1' },
    };
    site = await DockerSite.start(lab, { namespace: host, engine, config });
    await apply(site.gateway, 1, {
      uplinks: { lan: { interface: 'lan0' } },
      networks: {
        line1: { driver: 'overlay', vni: 10110, subnet: '10.110.0.0/24', range: '10.110.0.128/25' },
        bare: { driver: 'overlay', vni: 10111 },
        cell: { driver: 'bridge', subnet: '172.30.0.0/24' },
        east: { ...PLANT, range: '10.20.0.64/27' },
        west: { ...PLANT, range: '10.20.0.96/27' },
      },
    });
  }, 180_000);

  afterAll(() => lab.close(), 60_000);

  /** Every test leaves nothing but the document's networks. */
  afterEach(async () => {
    const containers = (await docker('ps', '-aq')).split('\n').filter((id) => id !== '');
    if (containers.length > 0) await docker('rm', '-f', ...containers);
    await docker('network', 'prune', '-f');
    const links = await host.ipJson<{ ifname: string; group: string }[]>('link', 'show');
    const names = links.map(({ ifname }) => ifname).filter((name) => name.startsWith('ls'));
    expect(names.toSorted()).toEqual(['lsb-cell', 'lsx-bare', 'lsx-line1']);
    // Status is the last cycle's view, and Docker's reply does not wait for the next one.
    await until('status to have no endpoints', async () => (await site.gateway.status()).endpoints.length === 0);
  }, 60_000);

  describe('a macvlan network made on the spot', () => {
    test('stands on the plant, with the MAC that belongs to the address', async () => {
      await docker(...MACVLAN, '--gateway', '10.20.0.10', '-o', 'com.docker.network.driver.mtu=1400', 'plant');
      await site.run('hmi', '--network', 'plant', '--ip', '10.20.0.21');
      expect(await plc.reaches('10.20.0.21')).toBe(true);
      await site.attached(1);
      // The host reaches its own child: by the shim.
      expect(await host.reaches('10.20.0.21')).toBe(true);
      expect(await site.exec('hmi', 'ip', 'route')).toContain('default via 10.20.0.10 dev eth0');
      expect(await site.exec('hmi', 'cat', '/sys/class/net/eth0/mtu')).toBe('1400');
      const mac = await site.exec('hmi', 'cat', '/sys/class/net/eth0/address');
      // Made anew with the same address: its neighbours' entries hold, not one ping is lost.
      await docker('rm', '-f', 'hmi');
      await site.run('hmi2', '--network', 'plant', '--ip', '10.20.0.21');
      expect(await plc.reaches('10.20.0.21')).toBe(true);
      expect(await site.exec('hmi2', 'cat', '/sys/class/net/eth0/address')).toBe(mac);
    }, 60_000);

    test('takes the MAC that is asked for, both families, several subnets, and connects while running', async () => {
      const more = ['--subnet', '10.21.0.0/24', '--ipv6', '--subnet', 'fd00:20::/64'];
      await docker(...MACVLAN, ...more, 'plant');
      await site.run('hmi', '--network', 'none');
      await docker('network', 'disconnect', 'none', 'hmi');
      await docker('network', 'connect', '--ip', '10.21.0.9', '--ip6', 'fd00:20::9', 'plant', 'hmi');
      await site.run('plc2', '--network', 'plant', '--ip', '10.20.0.22', '--mac-address', '02:00:00:00:00:99');
      expect(await site.exec('plc2', 'cat', '/sys/class/net/eth0/address')).toBe('02:00:00:00:00:99');
      await plc.ip('address', 'add', 'fd00:20::10/64', 'dev', 'eth0', 'nodad');
      expect(await plc.reaches('fd00:20::9')).toBe(true);
      expect(await site.exec('hmi', 'ip', 'address', 'show', 'dev', 'eth0')).toContain('10.21.0.9/24');
      await docker('network', 'disconnect', 'plant', 'hmi');
      expect(await plc.reaches('fd00:20::9')).toBe(false);
    }, 60_000);

    test('has its shim and its MACs shown; what another machine or container has is reported or refused', async () => {
      await docker(...MACVLAN, 'plant');
      await site.run('hmi', '--network', 'plant', '--ip', '10.20.0.21', '--mac-address', '02:00:00:00:00:21');
      // The PLC's own address: nobody knows that but the wire.
      await site.run('twin', '--network', 'plant', '--ip', '10.20.0.10');
      await site.attached(2);
      const [mac = ''] = (await plc.ipJson<{ address: string }[]>('link', 'show', 'eth0')).map((one) => one.address);
      const twice = async (): Promise<boolean> =>
        (await site.gateway.status()).endpoints.some((one) => one.problem?.includes(`10.20.0.10 too (MAC ${mac})`));
      await until('the address to be reported', twice, 3000);
      const { networks, uplinks } = await site.gateway.status();
      expect(networks.find(({ name }) => name.startsWith('docker-'))).toMatchObject({
        shim: expect.stringMatching(/^lss-/),
      });
      // The gateway's own, the shim's and two containers'.
      expect(uplinks).toMatchObject([{ name: 'lan', interface: 'lan0', macs: 4 }]);
      // Another Docker network of the same interface is the same wire; this one is without a shim.
      await docker(...CREATE, '-o', 'parent=lan0', '-o', 'shim=false', '--subnet', '10.22.0.0/24', 'second');
      expect(
        await refusal('run', '--rm', '--network', 'second', '--mac-address', '02:00:00:00:00:21', 'busybox', 'true'),
      ).toMatch(/MAC 02:00:00:00:00:21.*--mac-address/s);
      const shims = (await site.gateway.status()).networks.map(({ shim }) => shim ?? '');
      expect(shims.filter((shim) => shim.startsWith('off'))).toHaveLength(1);
      await docker('rm', '-f', 'twin');
      await until('it to be forgotten', async () => (await site.gateway.status()).health.ok);
    }, 60_000);

    test('connected and disconnected again at once, time after time: nothing comes back', async () => {
      await docker(...MACVLAN, 'plant');
      await site.run('hmi', '--network', 'none');
      await docker('network', 'disconnect', 'none', 'hmi');
      for (let time = 0; time < 12; time++) {
        await docker('network', 'connect', 'plant', 'hmi');
        await docker('network', 'disconnect', 'plant', 'hmi');
      }
      // Until the last of it would have been taken for one that has come, and attached.
      await sleep(2000);
      expect((await site.gateway.status()).endpoints).toEqual([]);
      expect(await site.exec('hmi', 'ip', 'link')).not.toContain('eth0');
    }, 60_000);

    test('what cannot stand is refused with what to do, and leaves nothing', async () => {
      expect(await refusal(...CREATE, '-o', 'parent=nope0', 'x')).toMatch(/nope0.*plug it in/s);
      expect(await refusal(...CREATE, '-o', 'parent=lan0', '-o', 'macvlan_mode=hover', 'x')).toMatch(
        /mode.*bridge, vepa, private/s,
      );
      expect(await refusal(...CREATE, '-o', 'parent=lan0', '-o', 'colour=red', 'x')).toMatch(
        /colour.*left off.*macvlan_mode/s,
      );
      expect(await refusal(...CREATE, '-o', 'vni=10110', 'x')).toMatch(
        /VNI 10110 is network line1's.*-o network=line1/s,
      );
      expect(await refusal(...CREATE, '-o', 'vni=0', 'x')).toMatch(/vni.*16777215/s);
      expect(await refusal(...CREATE, '-o', 'network=nowhere', 'x')).toMatch(/nowhere.*linkspan network ls/s);
      expect(await refusal(...CREATE, '--subnet', '172.30.0.0/16', 'x')).toMatch(/172\.30\.0\.0\/24 of network cell/);
      await host.ip('address', 'add', '10.66.0.1/24', 'dev', 'lan0');
      expect(await refusal(...CREATE, '--subnet', '10.66.0.0/16', 'x')).toMatch(
        /overlaps 10\.66\.0\.1\/24.*use another subnet/s,
      );
      await host.ip('address', 'del', '10.66.0.1/24', 'dev', 'lan0');
      expect(await docker('network', 'ls', '--filter', 'driver=linkspan', '-q')).toBe('');
    }, 60_000);
  });

  describe('a network of the document', () => {
    test('is joined with its own addresses, whatever pool Docker has chosen', async () => {
      await docker('network', 'create', '-d', 'linkspan', '-o', 'network=line1', 'line1');
      await site.run('ann', '--network', 'line1');
      await site.run('ben', '--network', 'line1');
      await site.attached(2);
      const addresses = (await site.gateway.status()).endpoints.map((endpoint) => endpoint.addresses);
      for (const [address = ''] of addresses) expect(address).toMatch(/^10\.110\.0\.(1[3-9]\d|12[89]|2\d\d)\/24$/);
      const [, [second = ''] = []] = addresses;
      const target = second.split('/')[0] ?? '';
      const from = (await site.exec('ann', 'ip', 'address')).includes(target) ? 'ben' : 'ann';
      expect(await site.reaches(from, target)).toBe(true);
      expect(await site.exec('ann', 'ip', 'address', 'show', 'dev', 'eth0')).not.toMatch(/inet 172\./);
    }, 60_000);

    test('gives its addresses out by the IPAM plugin, as Docker then shows them', async () => {
      const ipam = ['--ipam-driver', 'linkspan', '--ipam-opt', 'network=line1', '--subnet', '10.110.0.0/24'];
      await docker('network', 'create', '-d', 'linkspan', '-o', 'network=line1', ...ipam, 'line1');
      await site.run('ann', '--network', 'line1');
      const shown = await docker('inspect', '-f', '{{.NetworkSettings.Networks.line1.IPAddress}}', 'ann');
      expect(await site.exec('ann', 'ip', 'address')).toContain(`${shown}/24`);
      await site.run('ben', '--network', 'line1', '--ip', '10.110.0.21');
      expect(await site.reaches('ben', shown)).toBe(true);
      expect(await site.reaches('ben', 'ann')).toBe(true);
      expect(await refusal('run', '--rm', '--network', 'line1', '--ip', '10.110.0.21', 'busybox', 'true')).toMatch(
        /in use/,
      );
      // Given back and out again.
      await docker('rm', '-f', 'ben');
      await site.run('cem', '--network', 'line1', '--ip', '10.110.0.21');
      expect(
        await refusal('network', 'create', '-d', 'linkspan', '-o', 'network=line1', '--ipam-driver', 'linkspan', 'x'),
      ).toMatch(/--ipam-opt network=NAME/);
    }, 60_000);

    // Docker refuses to connect a container where a driver's route is there already.
    test.each([
      ['east', 'cell', 'spot', 'west'],
      ['spot', 'west', 'cell', 'east'],
    ])(
      'is connected beside others with the same routes: %s, %s, %s, %s',
      async (...names) => {
        for (const name of names.filter((one) => one !== 'spot'))
          await docker(...CREATE, '-o', `network=${name}`, name);
        // None that Docker itself would give one of the others.
        await docker(...CREATE, '--subnet', '10.77.0.0/24', 'spot');
        const [first, ...others] = names;
        await site.run('hmi', '--network', first);
        for (const name of others) await docker('network', 'connect', name, 'hmi');
        await site.attached(4);
        const routes = await site.exec('hmi', 'ip', 'route');
        expect(routes.match(/^10\.20\.0\.0\/24 /gm)).toHaveLength(2);
        // Docker's own comes before ours, which stand by.
        expect(routes.match(/^default via \S+ dev \S+ *$/gm)).toHaveLength(1);
        expect(routes.match(/^default via 10\.20\.0\.10 .* metric \d+ *$/gm)).toHaveLength(2);
        expect(await site.reaches('hmi', '10.20.0.10')).toBe(true);
        await docker('network', 'disconnect', 'spot', 'hmi');
        expect(await site.exec('hmi', 'ip', 'route', 'get', '192.0.2.1')).toContain('via 1');
      },
      60_000,
    );

    test('may have no addresses at all', async () => {
      await docker('network', 'create', '-d', 'linkspan', '-o', 'network=bare', '--ipam-driver', 'null', 'bare');
      await site.run('ann', '--network', 'bare', '--cap-add', 'NET_ADMIN');
      await site.run('ben', '--network', 'bare', '--cap-add', 'NET_ADMIN');
      await site.attached(2);
      expect(await site.exec('ann', 'ip', '-4', 'address', 'show', 'dev', 'eth0')).not.toContain('inet ');
      await site.exec('ann', 'ip', 'address', 'add', '192.168.9.1/24', 'dev', 'eth0');
      await site.exec('ben', 'ip', 'address', 'add', '192.168.9.2/24', 'dev', 'eth0');
      expect(await site.reaches('ann', '192.168.9.2')).toBe(true);
    }, 60_000);
  });

  describe('restarts', () => {
    test('linkspand killed: containers run on, and everything goes on where it was', async () => {
      await docker(...MACVLAN, 'plant');
      await site.run('hmi', '--network', 'plant', '--ip', '10.20.0.21');
      await site.attached(1);
      await site.gateway.kill9();
      expect(await plc.reaches('10.20.0.21')).toBe(true);
      await site.restartGateway();
      await site.attached(1);
      await site.run('two', '--network', 'plant', '--ip', '10.20.0.22');
      expect(await plc.reaches('10.20.0.22')).toBe(true);
    }, 60_000);

    test('a call while linkspand is away waits for it', async () => {
      await docker(...MACVLAN, 'plant');
      await site.gateway.kill9();
      const run = site.run('hmi', '--network', 'plant', '--ip', '10.20.0.21');
      await sleep(1000);
      await site.restartGateway();
      await run;
      expect(await plc.reaches('10.20.0.21')).toBe(true);
    }, 60_000);

    test('systemd holds the socket: dockerd’s call starts linkspand, and waits for it', async () => {
      await site.gateway.stop();
      const listen = ['systemd-socket-activate', '--listen=/run/docker/plugins/linkspan.sock', '--fdname=docker'];
      const service = [
        process.execPath,
        ...SERVICE_FLAGS,
        builtService(),
        '--config',
        `${site.gateway.dir}/linkspand.json`,
      ];
      const held = await lab.process(site.node, [...listen, ...service]);
      await until('the socket to be there', () => existsSync(`${site.node.plugins}/linkspan.sock`));
      await docker(...MACVLAN, 'plant');
      await site.run('hmi', '--network', 'plant', '--ip', '10.20.0.21');
      expect(await plc.reaches('10.20.0.21')).toBe(true);
      await held.stop();
      await site.restartGateway();
    }, 60_000);

    test('dockerd killed: what it has lost is collected, what shall run runs again', async () => {
      await docker(...MACVLAN, 'plant');
      await site.run('hmi', '--network', 'plant', '--ip', '10.20.0.21', '--restart', 'always');
      await site.run('once', '--network', 'plant', '--ip', '10.20.0.22');
      await site.attached(2);
      await site.dockerd.kill9();
      await site.dockerd.restart();
      await until('the container to run again', () => plc.reaches('10.20.0.21'), 20_000);
      await site.attached(1);
      await docker('start', 'once');
      expect(await plc.reaches('10.20.0.22')).toBe(true);
    }, 120_000);

    test('everything killed at once, containers too', async () => {
      await docker(...MACVLAN, 'plant');
      await site.run('hmi', '--network', 'plant', '--ip', '10.20.0.21', '--restart', 'always');
      await site.run('once', '--network', 'plant', '--ip', '10.20.0.22');
      await site.attached(2);
      await site.dockerd.crash();
      await site.restartGateway();
      await site.dockerd.restart();
      await until('the container to run again', () => plc.reaches('10.20.0.21'), 20_000);
      await site.attached(1);
    }, 120_000);
  });
});
