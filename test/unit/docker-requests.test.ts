import { describe, expect, test } from '@jest/globals';
import { assert, constantFrom, object, property } from 'fast-check';
import { readContainer, readEvent, readIds, readNetworks } from '../../src/docker/container.ts';
import { wantedNetwork } from '../../src/docker/network-options.ts';
import { publish } from '../../src/docker/ports.ts';
import { readCreateEndpoint, readCreateNetwork, readJoin } from '../../src/docker/requests.ts';
import { LinkspanError } from '../../src/service/errors.ts';

const ID = '39cb'.repeat(16);
const ENDPOINT = 'cecd'.repeat(16);

/** As dockerd 20.10 sends them (captured). */
const CREATE = {
  NetworkID: ID,
  Options: {
    'com.docker.network.enable_ipv6': true,
    'com.docker.network.generic': { parent: 'ua' },
    'com.docker.network.internal': true,
  },
  IPv4Data: [
    {
      AddressSpace: 'LocalDefault',
      AuxAddresses: { r: '10.90.0.2/24' },
      Gateway: '10.90.0.1/24',
      Pool: '10.90.0.0/24',
    },
  ],
  IPv6Data: [{ AddressSpace: 'LocalDefault', Gateway: 'fd00:90::1/64', Pool: 'fd00:90::/64' }],
};
const ENDPOINT_CALL = {
  NetworkID: ID,
  EndpointID: ENDPOINT,
  Interface: { Address: '10.88.0.2/24', AddressIPv6: '', MacAddress: '' },
  Options: {
    'com.docker.network.endpoint.exposedports': [{ Proto: 6, Port: 80 }],
    'com.docker.network.portmap': [{ Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8080, HostPortEnd: 8080 }],
  },
};

const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof LinkspanError ? `${error.code} ${error.object}` : `untyped ${String(error)}`;
  }
};

const wanted = (generic: Record<string, string>, over: object = {}): unknown =>
  wantedNetwork(readCreateNetwork({ ...CREATE, Options: { 'com.docker.network.generic': generic }, ...over }));

const request = (over: object = {}): Parameters<typeof publish>[0][number] => ({
  protocol: 'tcp',
  port: 80,
  hostAddress: undefined,
  hostPort: 8080,
  hostPortEnd: 8080,
  ...over,
});

describe('what dockerd sends is read', () => {
  test('a network', () => {
    expect(readCreateNetwork(CREATE)).toEqual({
      id: ID,
      options: new Map([['parent', 'ua']]),
      internal: true,
      pools: [
        { subnet: { family: 4, address: '10.90.0.0', length: 24 }, gateway: '10.90.0.1' },
        { subnet: { family: 6, address: 'fd00:90::', length: 64 }, gateway: 'fd00:90::1' },
      ],
    });
  });

  test('a network whose IPAM driver is null has no pool', () => {
    const none = { AddressSpace: 'null', Gateway: '0.0.0.0/0', Pool: '0.0.0.0/0' };
    expect(readCreateNetwork({ ...CREATE, IPv4Data: [none], IPv6Data: null }).pools).toEqual([]);
  });

  test('an endpoint, and where it is to go', () => {
    expect(readCreateEndpoint(ENDPOINT_CALL)).toEqual({
      network: ID,
      endpoint: ENDPOINT,
      addresses: [{ family: 4, address: '10.88.0.2', length: 24 }],
      mac: undefined,
      ports: [{ protocol: 'tcp', port: 80, hostAddress: undefined, hostPort: 8080, hostPortEnd: 8080 }],
    });
    const sandbox = '/var/run/docker/netns/dadf8d33929b';
    expect(readJoin({ ...ENDPOINT_CALL, SandboxKey: sandbox })).toMatchObject({ endpoint: ENDPOINT, sandbox });
  });

  test.each([
    ['an id with a slash', { NetworkID: '../x' }, 'NetworkID'],
    ['a pool that is none', { IPv4Data: [{ Pool: 'ten' }] }, 'IPv4Data.Pool'],
    ['options that are no object', { Options: [] }, 'Options'],
    ['an option that is no text', { Options: { 'com.docker.network.generic': { parent: {} } } }, 'option parent'],
    ['a thousand pools', { IPv4Data: Array.from({ length: 1000 }, () => ({ Pool: '10.0.0.0/24' })) }, 'IPv4Data'],
  ])('%s is refused', (_, over, field) => {
    expect(codeOf(() => readCreateNetwork({ ...CREATE, ...over }))).toBe(`invalid ${field}`);
  });

  test.each(['relative', '/run/docker/netns/a b', '/x\n', `/${'x'.repeat(300)}`])(
    'no sandbox is at %j',
    (SandboxKey) => {
      expect(codeOf(() => readJoin({ ...ENDPOINT_CALL, SandboxKey }))).toBe('invalid SandboxKey');
    },
  );

  test('anything at all is read or refused with a reason', () => {
    assert(
      property(object({ key: constantFrom(...Object.keys({ ...CREATE, ...ENDPOINT_CALL })) }), (value) => {
        for (const read of [readCreateNetwork, readCreateEndpoint, readJoin, readContainer]) {
          expect(codeOf(() => read(value)) ?? 'invalid').toMatch(/^invalid/);
        }
      }),
    );
  });
});

describe('the options of docker network create', () => {
  const common = {
    name: `docker-${ID.slice(0, 12)}`,
    subnets: [
      { family: 4, address: '10.90.0.0', length: 24 },
      { family: 6, address: 'fd00:90::', length: 64 },
    ],
  };

  test('macvlan, by the words that Docker’s own driver takes', () => {
    const uplink = { name: 'lan0', interface: 'lan0' };
    expect(wanted({ parent: 'lan0', macvlan_mode: 'private', 'com.docker.network.driver.mtu': '1400' })).toEqual({
      prefix: 'eth',
      own: {
        ...common,
        driver: 'macvlan',
        gateways: ['10.90.0.1', 'fd00:90::1'],
        mtu: 1400,
        uplink,
        mode: 'private',
        shim: false,
      },
    });
    expect(wanted({ parent: 'lan0', address: 'dhcp' })).toMatchObject({ own: { dhcp: true, shim: true } });
    expect(wanted({ parent: 'lan0', vlan: '4094' })).toMatchObject({ own: { uplink, vlan: 4094 } });
    expect(wanted({ parent: 'lan0', vlan: '110', outer_vlan: '20' })).toMatchObject({
      own: { uplink, vlan: 110, outerVlan: 20 },
    });
  });

  test('ipvlan, by the word of Docker’s own driver alone, or by name', () => {
    const uplink = { name: 'lan0', interface: 'lan0' };
    expect(wanted({ parent: 'lan0', ipvlan_mode: 'l3s', vlan: '110' })).toEqual({
      prefix: 'eth',
      own: {
        ...common,
        driver: 'ipvlan',
        gateways: ['10.90.0.1', 'fd00:90::1'],
        uplink,
        vlan: 110,
        mode: 'l3s',
        shim: true,
      },
    });
    expect(wanted({ driver: 'ipvlan', parent: 'lan0', shim: 'false' })).toMatchObject({
      own: { mode: 'l2', shim: false },
    });
    expect(() => wanted({ driver: 'ipvlan', parent: 'lan0', address: 'dhcp' })).toThrow(/option address.*left off/);
  });

  test('bridge where nothing says otherwise, with Docker’s words for isolation', () => {
    expect(wanted({ 'com.docker.network.bridge.enable_icc': 'false' })).toMatchObject({
      own: { driver: 'bridge', icc: false, gateways: ['10.90.0.1', 'fd00:90::1'] },
    });
    expect(wanted({ driver: 'bridge', 'com.docker.network.bridge.enable_ip_masquerade': 'false' })).toMatchObject({
      own: { masquerade: false },
    });
  });

  test('an overlay has no router that nobody named', () => {
    expect(wanted({ vni: '10110', peers: '203.0.113.9,2001:DB8::1', engine: 'user' })).toEqual({
      prefix: 'eth',
      own: {
        ...common,
        driver: 'overlay',
        gateways: [],
        vni: 10_110,
        engine: 'user',
        peers: ['203.0.113.9', '2001:db8::1'],
        bum: { kind: 'replicate' },
      },
    });
  });

  test('an internal network keeps its bridge’s address; its driver leads nobody out by it', () => {
    const options = { 'com.docker.network.generic': { parent: 'lan0' }, 'com.docker.network.internal': true };
    expect(wanted({}, { Options: options })).toMatchObject({
      own: { gateways: ['10.90.0.1', 'fd00:90::1'], internal: true },
    });
  });

  test('one that joins takes no option of its own', () => {
    expect(wanted({ network: 'line1', 'com.docker.network.container_iface_prefix': 'site' })).toEqual({
      prefix: 'site',
      joins: 'line1',
    });
    expect(codeOf(() => wanted({ network: 'line1', vni: '5' }))).toBe('bad_option option vni');
  });

  test.each<readonly [string, Record<string, string>]>([
    ['driver', { driver: 'constructor' }],
    ['parent', { driver: 'macvlan' }],
    ['parent', { parent: 'eth0; reboot' }],
    ['parent', { parent: 'lo' }],
    ['vni', { vni: '16777216' }],
    ['vni', { driver: 'overlay' }],
    ['peers', { vni: '5', peers: 'nobody' }],
    ['mtu', { mtu: '9e9' }],
    ['icc', { icc: 'maybe' }],
    ['mode', { parent: 'lan0', mode: 'source' }],
    ['vlan', { parent: 'lan0', vlan: '4095' }],
    ['vlan', { parent: 'lan0', vlan: 'ten' }],
    ['vlan', { parent: 'lan0', outer_vlan: '20' }],
    ['outer_vlan', { parent: 'lan0', ipvlan_mode: 'l2', vlan: '110', outer_vlan: '0' }],
    ['com.docker.network.container_iface_prefix', { 'com.docker.network.container_iface_prefix': '../eth' }],
  ])('%s is refused with what it may be: %j', (option, generic) => {
    expect(codeOf(() => wanted(generic))).toBe(`bad_option option ${option}`);
  });
});

describe('published ports', () => {
  test('take the first free one of a range, and any free one where none is named', () => {
    const taken = [{ protocol: 'tcp' as const, hostPort: 8000, port: 1 }];
    const [ranged, any] = publish(
      [request({ hostPort: 8000, hostPortEnd: 8010 }), request({ hostPort: 0, hostPortEnd: 0 })],
      taken,
    );
    expect(ranged?.hostPort).toBe(8001);
    expect(any?.hostPort).toBeGreaterThanOrEqual(32_768);
  });

  test('of one number stand beside each other on two addresses and in two protocols, and nowhere else', () => {
    const here = request({ hostAddress: '10.0.0.1' });
    expect(publish([here, request({ hostAddress: '10.0.0.2' }), request({ protocol: 'udp' })], [])).toHaveLength(3);
    expect(codeOf(() => publish([here, request()], []))).toBe('port_taken port 8080/tcp of this gateway');
  });
});

describe('what the engine says of a container is read', () => {
  const running = {
    Id: ID,
    Name: '/hmi',
    State: { Pid: 4711 },
    HostConfig: { NetworkMode: 'line1' },
    NetworkSettings: {
      SandboxKey: '/var/run/docker/netns/dadf8d33929b',
      Networks: {
        line1: {
          EndpointID: ENDPOINT,
          Aliases: ['panel', ID.slice(0, 12)],
          IPAddress: '10.0.0.2',
          GlobalIPv6Address: 'fd00:0::2',
        },
        idle: { EndpointID: '', IPAddress: '', GlobalIPv6Address: 7 },
      },
    },
  };

  test('its sandbox and its names, without the id that Docker adds', () => {
    expect(readContainer(running)).toEqual({
      id: ID,
      name: 'hmi',
      sandbox: '/var/run/docker/netns/dadf8d33929b',
      onHost: false,
      endpoints: new Map([[ENDPOINT, ['hmi', 'panel']]]),
      addresses: ['10.0.0.2', 'fd00::2'],
    });
  });

  test('none where it does not run, and another’s namespace where it has none of its own', () => {
    expect(readContainer({ ...running, State: { Pid: 0 } })).toBeUndefined();
    // Docker limits neither; one that could not be read would keep all that are gone from being collected.
    const aliases = Array.from({ length: 100 }, (_, n) => `a${n}`);
    const Networks = { plant: { EndpointID: ENDPOINT, Aliases: aliases } };
    const large = readContainer({ ...running, Name: `/${'n'.repeat(300)}`, NetworkSettings: { Networks } });
    expect([large?.name.length, large?.endpoints.get(ENDPOINT)]).toEqual([300, aliases.slice(0, 64)]);
    const shared = { ...running, NetworkSettings: { SandboxKey: '', Networks: {} } };
    expect(readContainer(shared)?.sandbox).toBe('/proc/4711/ns/net');
  });

  test('whose an event is', () => {
    expect(readEvent(JSON.stringify({ Type: 'container', Actor: { ID } }))).toEqual({ container: ID });
    const attributes = { container: ENDPOINT };
    expect(readEvent(JSON.stringify({ Type: 'network', Actor: { ID, Attributes: attributes } }))).toEqual({
      container: ENDPOINT,
    });
    expect(readEvent(JSON.stringify({ Type: 'network', Actor: { ID } }))).toBeUndefined();
    expect(readIds([{ Id: ID }], 10)).toEqual([ID]);
  });

  test('the addresses of a network that no container has', () => {
    const config = { Subnet: '10.0.0.0/24', Gateway: '10.0.0.1/24', AuxiliaryAddresses: { plc: '10.0.0.9', odd: {} } };
    const told = { Id: ID, IPAM: { Config: [config, { Gateway: 'fd00::1' }] } };
    expect(readNetworks([told], 10)).toEqual([{ id: ID, addresses: ['10.0.0.1', '10.0.0.9', 'fd00::1'] }]);
    expect(readNetworks([{ Id: ID, IPAM: { Config: null } }], 10)).toEqual([{ id: ID, addresses: [] }]);
    expect(() => readNetworks([{ Id: ID, IPAM: { Config: ['x'] } }], 10)).toThrow('Config');
  });
});
