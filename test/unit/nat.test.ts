import { describe, expect, test } from '@jest/globals';
import type { Step } from '../../src/reconcile/plan.ts';
import { inetRules } from '../../src/reconcile/nat/inet-rules.ts';
import type { NatSpec } from '../../src/drivers/driver.ts';
import type { Listener } from '../../src/host/listeners.ts';
import { bridge, type Json, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import type { Kernel } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';

const nat = (name: string, address: string, over: Partial<NatSpec> = {}): NatSpec => ({
  bridge: name,
  subnets: [{ family: address.includes(':') ? 6 : 4, address, length: address.includes(':') ? 64 : 24 }],
  masquerade: true,
  icc: true,
  internal: false,
  ...over,
});
const CELL = nat('lsb-cell', '172.30.0.9');
const NOTHING = {
  translations: [],
  guarded: { 4: false, 6: false },
  otherBridges: [],
  own: { vxlan: 4789, broker: undefined },
};

const NETWORK = { cell: bridge('172.30.0.0/24', { subnet6: 'fd00:30::/64' }) };
const publishing = (publish: readonly string[], at: Json = {}, name = 'w1', sandbox = 's1'): Json => ({
  [name]: workload({ cell: { ...at, publish } }, sandbox),
});
const kinds = (kernel: Kernel, state: ReturnType<typeof desired>): string[] =>
  look(kernel, state).steps.flatMap((step) => (step.object === 'host/firewall' ? [step.kind] : []));
const applied = (kernel: Kernel, state: ReturnType<typeof desired>): Extract<Step, { kind: 'firewall.apply' }> => {
  const steps = look(kernel, state).steps.flatMap((step) => (step.kind === 'firewall.apply' ? [step] : []));
  const found = steps.find(({ family }) => family === 'inet');
  if (found === undefined) throw new Error('no rules are applied');
  return found;
};

describe('the rules of routed packets', () => {
  test('are none without a bridge network', () => {
    expect(inetRules([], { ...NOTHING, guarded: { 4: true, 6: true } })).toBe('');
  });

  test('masquerade what leaves each network, of both families, and where it is asked for only', () => {
    const rules = inetRules(
      [CELL, nat('lsb-six', 'fd00:6::1'), nat('lsb-own', '10.9.0.0', { masquerade: false })],
      NOTHING,
    );
    expect(rules).toContain('ip saddr 172.30.0.0/24 oifname != "lsb-cell" masquerade\n');
    expect(rules).toContain('ip6 saddr fd00:6::/64 oifname != "lsb-six" masquerade\n');
    expect(rules).not.toContain('oifname != "lsb-own" masquerade');
  });

  test('guard the family that the host does not forward, and pass the frames of its own bridges', () => {
    const facts = { ...NOTHING, guarded: { 4: false, 6: true }, otherBridges: ['br0'] };
    const guard = inetRules([CELL], facts).slice(inetRules([CELL], NOTHING).length);
    expect(guard).toContain('chain guard6 {');
    expect(guard).toContain('iifname . oifname { "br0" . "br0" } accept\n');
    expect(guard).toContain('meta nfproto ipv6 iifname != { "lsb-cell" } oifname != { "lsb-cell" } drop\n');
    expect(guard).not.toContain('chain guard {');
  });
});

describe('rules and forwarding', () => {
  test('rules stand before forwarding begins, and forwarding ends before they go', () => {
    const kernel = newHost();
    const cell = desired(NETWORK);
    expect(kinds(kernel, cell)).toEqual(['firewall.apply', 'forwarding.set', 'forwarding.set']);
    converge(kernel, cell);
    expect([...kernel.observe().forwarding[4].devices]).toEqual(expect.arrayContaining(['lsb-cell', 'eth0', 'eth1']));
    expect([...kernel.observe().forwarding[6].devices]).toEqual(expect.arrayContaining(['lsb-cell', 'eth0']));
    expect(kernel.observe().forwarding[6].devices.has('eth1')).toBe(false);
    expect(kinds(kernel, desired({}))).toEqual(['forwarding.set', 'forwarding.set', 'firewall.apply']);
    converge(kernel, desired({}));
    const none = { host: false, devices: new Set() };
    expect(kernel.observe().forwarding).toEqual({ 4: none, 6: none, localnet: new Set() });
  });

  test('each family is left on where it was on before', () => {
    const kernel = newHost();
    kernel.forwards = true;
    converge(kernel, desired(NETWORK));
    expect(kernel.memory.inet?.body).not.toContain('chain guard {');
    expect(kernel.memory.inet?.body).toContain('chain guard6 {');
    converge(kernel, desired({}));
    expect(kernel.observe().forwarding[4]).toEqual({ host: true, devices: new Set() });
    expect(kernel.memory).toEqual({});
  });

  test('an internal network makes nothing forward', () => {
    const kernel = newHost();
    converge(kernel, desired({ cell: bridge('172.30.0.0/24', { internal: true }) }));
    expect(kernel.observe().forwarding[4].devices.size).toBe(0);
    expect(kernel.memory.inet?.body).not.toContain('chain guard');
  });

  test('rules that somebody changed are applied again', () => {
    const kernel = newHost();
    const cell = desired(NETWORK);
    const { intent } = converge(kernel, cell);
    kernel.fingerprint = 'as somebody left it';
    expect(look(kernel, cell).steps).toMatchObject([{ kind: 'firewall.apply', body: intent.nat.tables.inet }]);
  });
});

const listener = (address: string, port: number, protocol: Listener['protocol'] = 'tcp'): Listener => ({
  protocol,
  address,
  port,
  process: 'sshd (7)',
});

describe('a published port', () => {
  const at = { address: '172.30.0.31', address6: 'fd00:30::31' };

  test('leads to the workload’s address of each family; one at an address only of that', () => {
    const kernel = newHost();
    const { intent } = converge(kernel, desired(NETWORK, publishing(['80:8080', '10.20.0.5:53:53/udp'], at)));
    const plain = intent.nat.translations.map(
      (one) => `${one.hostAddress ?? '*'} ${one.protocol} ${one.hostPort} ${one.address} ${one.port}`,
    );
    expect(plain).toEqual([
      '* tcp 80 172.30.0.31 8080',
      '* tcp 80 fd00:30::31 8080',
      '10.20.0.5 udp 53 172.30.0.31 53',
    ]);
    expect([...kernel.observe().forwarding.localnet]).toEqual(['lsb-cell']);
    converge(kernel, desired(NETWORK, { w1: workload({ cell: at }, 's1') }));
    expect(kernel.observe().forwarding.localnet.size).toBe(0);
  });

  test.each<[string, string, Listener, boolean]>([
    ['all addresses', '22:22', listener('0.0.0.0', 22), true],
    ['all of both families', '10.20.0.5:22:22', listener('::', 22), true],
    ['one address', '22:22', listener('127.0.0.53', 22), true],
    ['another address', '10.20.0.5:22:22', listener('127.0.0.53', 22), false],
    ['another protocol', '22:22', listener('0.0.0.0', 22, 'udp'), false],
    ['another port', '22:22', listener('0.0.0.0', 23), false],
  ])('is withheld or not where a service of the host listens on %s', (_, item, held, taken) => {
    const kernel = newHost();
    kernel.listeners = [held];
    const { intent, waiting } = converge(kernel, desired(NETWORK, publishing([item, '1000:1'])));
    expect(intent.nat.ports.get('endpoint/w1/cell')?.map(({ hostPort }) => hostPort)).toEqual(
      taken ? [1000] : [22, 1000],
    );
    expect(waiting.get('endpoint/w1/cell')?.code).toBe(taken ? 'port_taken' : undefined);
  });

  test('of UDP that is in force is not given up to a socket that may be a client’s, one of TCP is', () => {
    const kernel = newHost();
    const state = desired(NETWORK, publishing(['4000:1/udp', '4000:1/tcp']));
    converge(kernel, state);
    kernel.listeners = [listener('0.0.0.0', 4000, 'udp'), listener('0.0.0.0', 4000)];
    const { intent } = converge(kernel, state);
    expect(intent.nat.ports.get('endpoint/w1/cell')).toMatchObject([{ protocol: 'udp' }]);
  });

  test('is the first workload’s where two have it, and both say so', () => {
    const publish = [{ protocol: 'tcp', hostPort: 80, port: 80 }] as const;
    const state = desired(NETWORK, { ...publishing([], at), ...publishing([], {}, 'w2', 's2') });
    const endpoints = state.endpoints.map((endpoint) => ({ ...endpoint, publish }));
    const { waiting } = converge(newHost(), { ...state, endpoints });
    expect([...waiting.keys()]).toEqual(['endpoint/w2/cell']);
    expect(waiting.get('endpoint/w2/cell')?.message).toContain('workload w1 publishes it');
  });

  test('at an address that no interface has says so, and one of a family that the workload has not', () => {
    const { waiting } = converge(newHost(), desired({ cell: bridge('172.30.0.0/24') }, publishing(['10.9.9.9:80:80'])));
    expect(waiting.get('endpoint/w1/cell')).toMatchObject({
      code: 'waiting',
      message: expect.stringContaining('has 10.9.9.9'),
    });
    const six = converge(newHost(), desired({ cell: bridge('172.30.0.0/24') }, publishing(['[fd00:20::5]:80:80'])));
    expect(six.waiting.get('endpoint/w1/cell')?.message).toContain('no address of that family');
  });

  test('that changes has its flows looked through: of UDP at any change, of TCP where it leads elsewhere', () => {
    const kernel = newHost();
    const flows = (publish: readonly string[], address: string): readonly string[] => {
      const state = desired({ cell: bridge('172.30.0.0/24') }, publishing(publish, { address }));
      const { flows: found, local } = applied(kernel, state);
      expect(local).toEqual(expect.arrayContaining(['192.0.2.1', 'fd00:20::5']));
      converge(kernel, state);
      return found.map(({ protocol, hostPort, target }) => `${protocol} ${hostPort} ${target?.address ?? 'nowhere'}`);
    };
    expect(flows(['1:1', '2:2/udp'], '172.30.0.31')).toEqual(['udp 2 172.30.0.31']);
    expect(flows(['1:1', '2:2/udp'], '172.30.0.32')).toEqual(['tcp 1 172.30.0.32', 'udp 2 172.30.0.32']);
    expect(flows(['3:3'], '172.30.0.32')).toEqual(['udp 2 nowhere']);
  });
});

const portIn = (kernel: Kernel): unknown => kernel.links.find(({ name }) => name.startsWith('lsp-'))?.port;

describe('workloads that are kept apart', () => {
  const apart = desired({ cell: bridge('172.30.0.0/24', { icc: false }) }, { w1: workload({ cell: {} }, 's1') });

  test('are so by the kernel’s own switch until the rules for bridges stand, and again where those are gone', () => {
    const kernel = newHost();
    kernel.run(look(kernel, apart).steps);
    expect(portIn(kernel)).toEqual({ isolated: true, hairpin: false });
    converge(kernel, apart);
    expect(portIn(kernel)).toEqual({ isolated: false, hairpin: false });
    const { bridge: _, ...lost } = kernel.memory;
    kernel.memory = lost;
    expect(look(kernel, apart).steps).toMatchObject([
      { kind: 'firewall.apply', family: 'bridge' },
      { kind: 'link.adjust', changes: { port: { isolated: true } } },
    ]);
  });

  test('a port turns frames back only for a workload that publishes, and once rules hold the others', () => {
    const kernel = newHost();
    const state = desired(NETWORK, publishing(['80:80']));
    kernel.run(look(kernel, state).steps);
    expect(portIn(kernel)).toEqual({ isolated: false, hairpin: false });
    converge(kernel, state);
    expect(portIn(kernel)).toEqual({ isolated: false, hairpin: true });
  });
});

describe('Docker’s chain for its user', () => {
  test('takes our rules where it is there, for the host’s own interfaces, and gives them back', () => {
    const kernel = newHost();
    kernel.dockers = { 4: { rules: ['-i lsb-+ -o gone0'], bridges: new Set(['docker0', 'eth1']) }, 6: undefined };
    converge(kernel, desired(NETWORK));
    expect(kernel.dockers).toMatchObject({ 4: { rules: ['-o lsb-+', '-i lsb-+ -o eth0'] }, 6: undefined });
    converge(kernel, desired({}));
    expect(kernel.dockers[4]?.rules).toEqual([]);
  });
});
