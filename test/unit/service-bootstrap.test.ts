import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import {
  describeBootstrap,
  gatewayNameOf,
  loadBootstrap,
  overruled,
  parseListen,
} from '../../src/service/bootstrap.ts';

const directory = mkdtempSync(join(tmpdir(), 'linkspan-bootstrap-'));
const file = join(directory, 'linkspan.yaml');
const none = { env: {}, flags: {} };

afterAll(() => rmSync(directory, { recursive: true }));

const withFile = (text: string): string => {
  writeFileSync(file, text);
  return file;
};
const failure = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect(error).toMatchObject({ name: 'LinkspanError', code: 'bad_configuration' });
    return String(error);
  }
  throw new Error('accepted');
};

test('without any source, the defaults of the contract hold', () => {
  const { gateway, ...rest } = loadBootstrap(none);
  expect(gateway).toMatch(/^[a-z0-9-]{1,63}$/);
  expect(rest).toEqual({
    fleet: 'default',
    underlay: { address: '', port: 4789 },
    mqtt: {
      url: '',
      embedded: { listen: '0.0.0.0:1883', cert: '', key: '', ca: '' },
      username: '',
      passwordFile: '',
      ca: '',
      cert: '',
      key: '',
    },
    state: { path: '/var/lib/linkspan/linkspan.db' },
    trust: { key: '', fleetKey: '', policy: 'auto' },
    control: { socket: '/run/linkspan/linkspan.sock' },
    datapath: { engine: 'auto', workers: 'auto', socket: '/run/linkspan/datapath.sock' },
    status: { listen: '127.0.0.1:8479' },
    names: { resolvConf: '/etc/resolv.conf' },
    docker: { pluginSocket: '/run/docker/plugins/linkspan.sock', engineSocket: '/var/run/docker.sock' },
    log: { level: 'info', format: 'auto' },
  });
});

test('what the file says in vain is told, without the value', () => {
  withFile('fleet: secret\ncontrol: { socket: /secret }\nunderlay: { port: 1111 }\nmqtt:\n  ca:\n');
  const env = { LINKSPAN_CONTROL_SOCKET: '/run/a.sock', LINKSPAN_MQTT_CA: '/ca', LINKSPAN_LOG_LEVEL: 'warn' };
  expect(overruled({ file, env, flags: { fleet: 'plant' } })).toEqual([
    `fleet of file ${file} does not count: flag --fleet does`,
    `control.socket of file ${file} does not count: environment LINKSPAN_CONTROL_SOCKET does`,
  ]);
  expect(overruled(none)).toEqual([]);
});

test('flags win over environment, environment over file, file over default', () => {
  withFile('fleet: from-file\nunderlay: { port: 1111 }\nmqtt:\n  ca:\nstate:\nlog: { level: debug }\n');
  const env = { LINKSPAN_UNDERLAY_PORT: '2222', LINKSPAN_LOG_LEVEL: 'warn', LINKSPAN_DOCKER_PLUGIN_SOCKET: '' };
  const bootstrap = loadBootstrap({ file, env, flags: { 'log.level': 'error' } });
  expect(bootstrap.fleet).toBe('from-file');
  expect(bootstrap.underlay.port).toBe(2222);
  expect(bootstrap.log.level).toBe('error');
  expect(bootstrap.docker.pluginSocket).toBe('');
  expect(bootstrap.mqtt.ca).toBe('');
});

test('JSON is read as well', () => {
  expect(loadBootstrap({ ...none, file: withFile('{ "gateway": "gw-a" }') }).gateway).toBe('gw-a');
});

test("a cluster's nodes are one value", () => {
  const url = 'mqtts://one:8883,mqtts://two:8883';
  expect(loadBootstrap({ ...none, file: withFile(`mqtt: { url: "${url}" }`) }).mqtt.url).toBe(url);
});

test.each([
  ['gateway: GW_A', 'gateway'],
  ['gateway: 12', 'gateway'],
  ['fleet: a/b', 'fleet'],
  ['underlay: { address: 10.0.0.300 }', 'underlay.address'],
  ['underlay: { port: 0 }', 'underlay.port'],
  ['mqtt: { url: "http://broker" }', 'mqtt.url'],
  ['mqtt: { url: "mqtt://one,http://two" }', 'mqtt.url'],
  ['mqtt: { url: "mqtt://one," }', 'mqtt.url'],
  ['mqtt: { cert: /c.pem }', 'mqtt.cert'],
  ['state: { path: here.db }', 'state.path'],
  [`control: { socket: "/${'x'.repeat(107)}" }`, 'control.socket'],
  ['datapath: { engine: warp }', 'datapath.engine'],
  ['status: { listen: "8479" }', 'status.listen'],
  ['log: { level: loud }', 'log.level'],
  ['mqtt: { pasword: x }', 'mqtt.pasword'],
  ['mqtt: broker', 'mqtt'],
  ['"mqtt.url": x', 'mqtt.url'],
  ['__proto__: { fleet: x }', '__proto__'],
  ['- a list', 'the whole'],
])('%s is refused with its key, the file and a remedy', (text, key) => {
  const message = failure(() => loadBootstrap({ ...none, file: withFile(text) }));
  expect(message).toContain(`LinkspanError: ${key}: `);
  expect(message).toContain(`file ${file}`);
  expect(message).toContain('correct ');
});

test('several wrong values are told at once, each with its source', () => {
  const env = { LINKSPAN_UNDERLAY_PORT: '4789abc' };
  const message = failure(() => loadBootstrap({ file: withFile('fleet: ""'), env, flags: { 'log.level': 'x' } }));
  expect(message).toMatch(/fleet must .*\(from file .*underlay\.port must .*LINKSPAN_UNDERLAY_PORT.*flag --log\.level/);
});

test('an unknown flag, a missing file and broken YAML are named', () => {
  expect(failure(() => loadBootstrap({ env: {}, flags: { colour: 'red' } }))).toContain('--colour');
  expect(failure(() => loadBootstrap({ ...none, file: '/nowhere/linkspan.yaml' }))).toContain('/nowhere/linkspan.yaml');
  expect(failure(() => loadBootstrap({ ...none, file: withFile('a: [') }))).toMatch(/line \d/);
});

test.each([
  'mqtt: { url: "mqtt://user:hunter2@broker" }',
  'mqtt: { passwordFile: hunter2 }',
  'mqtt: { passwordFile: "hunter2 }',
])('a secret in the wrong place is not repeated: %s', (text) => {
  expect(failure(() => loadBootstrap({ ...none, file: withFile(text) }))).not.toContain('hunter2');
});

test('a host name becomes a gateway name', () => {
  expect(gatewayNameOf('Edge_Box 7.plant.example')).toBe('edge-box-7');
  expect(gatewayNameOf('-')).toBe('gateway');
  expect(gatewayNameOf(`${'a'.repeat(62)}_b`)).toBe('a'.repeat(62));
});

test('listen addresses are split', () => {
  expect(parseListen('127.0.0.1:0')).toEqual({ host: '127.0.0.1', port: 0 });
  expect(parseListen('[::1]:8479')).toEqual({ host: '::1', port: 8479 });
  for (const wrong of ['::1:80', '[127.0.0.1]:80', 'localhost:80', '1.2.3.4:70000', '1.2.3.4']) {
    expect(parseListen(wrong)).toBeUndefined();
  }
});

test('the help names every key and its environment variable', () => {
  const help = describeBootstrap();
  for (const name of ['mqtt.passwordFile', 'LINKSPAN_MQTT_PASSWORD_FILE', 'LINKSPAN_STATE_PATH', '4789']) {
    expect(help).toContain(name);
  }
});
