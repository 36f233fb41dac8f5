import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from '../../src/cli/table.ts';
import type { AttachRequest } from '../../src/control/request/attach-request.ts';
import { documentRoutes } from '../../src/control/socket/document-routes.ts';
import { writeRoutes } from '../../src/control/socket/writes.ts';
import type { EndpointStatus, GatewayStatus } from '../../src/model/status.ts';
import { EventRing } from '../../src/status/events.ts';
import { readRoutes } from '../../src/status/read-routes.ts';
import { listenUnix, type Listener } from '../../src/status/server.ts';
import { DECISIONS } from './support/decisions.ts';
import { FDB_ENTRY, HEALTHY, LINE1, PEER } from './support/status.ts';

const PROGRAM = new URL('../../src/bin/linkspan.ts', import.meta.url).pathname;
const ESC = '\u001b';

const ENDPOINT: EndpointStatus = {
  workload: `${ESC}[31mhistorian-of-the-second-line`,
  network: 'line1',
  interface: 'eth0',
  mac: '02:00:00:00:00:21',
  addresses: ['10.110.0.21/24', 'fd00:110:aaaa:bbbb:cccc:dddd:eeee:21/64'],
  sandbox: 'netns:w1',
  published: [],
  state: 'waiting',
  problem: 'the namespace w1 does not exist; make it with ip netns add w1',
};

const healthy: GatewayStatus = {
  ...HEALTHY,
  networks: [
    {
      ...LINE1,
      name: 'a-network-with-a-rather-long-name-as-plants-have-them',
      vni: 16_777_215,
      problem: 'no route to the peer',
    },
    {
      ...LINE1,
      driver: 'macvlan',
      vni: null,
      vlan: 110,
      outer_vlan: 20,
      engine: null,
      engine_reason: null,
      mtu: 1500,
      peers: 0,
      shim: 'ls-shim0',
    },
  ],
  uplinks: [
    {
      name: 'the-line-of-the-first-hall',
      interface: 'enx0123456789ab',
      macs: 12,
      mac_limit: 8,
      promiscuous: false,
      wifi: null,
      problem: 'the switch port behind it sees 12 MACs and allows 8; raise the limit',
    },
    { name: 'eth1', interface: 'eth1', macs: 2, mac_limit: null, promiscuous: true, wifi: null, problem: null },
  ],
  endpoints: [ENDPOINT],
  peers: [{ ...PEER, vtep: '[2001:db8::ffff:1]:4789', vnis: [1, 2, 3] }],
};

type Ended = { code: number | null; out: string; err: string };

let directory: string;
let listener: Listener;
let status = healthy;
let waiting: readonly string[] = [];
let bodies: unknown[] = [];
let attached: AttachRequest[] = [];
const events = new EventRing();

function start(...argv: readonly string[]): ChildProcess {
  const environment = { ...process.env, LINKSPAN_SOCKET: join(directory, 'control.sock') };
  return spawn(process.execPath, [PROGRAM, ...argv], { env: environment, stdio: 'pipe' });
}

function run(argv: readonly string[], input = ''): Promise<Ended> {
  const child = start(...argv);
  let [out, err] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (err += chunk));
  child.stdin?.on('error', () => undefined).end(input);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

function parse(body: Uint8Array): { version: number; bad?: boolean } {
  const document = JSON.parse(Buffer.from(body).toString()) as { version: number };
  bodies.push(document);
  return document;
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cli-'));
  const source = {
    status: () => status,
    fdb: () => [FDB_ENTRY],
    firmwareWaitsFor: () => waiting,
    events,
    desiredSchema: {},
  };
  const problems = [
    { path: '/spec/networks/x/vni', code: 'vni_range', message: 'network/x: VNI 0; use 1 to 16777215' },
  ] as const;
  listener = await listenUnix(join(directory, 'control.sock'), [
    ...readRoutes(source),
    ...documentRoutes(DECISIONS),
    ...writeRoutes({
      apply: (body) => {
        const { version, bad } = parse(body);
        return bad ? { accepted: false, problems } : { accepted: true, version };
      },
      validate: (body) => (parse(body).bad ? problems : []),
      attach: async (request) => {
        attached.push(request);
        const problem = { path: '', code: 'failed', message: `network/${request.network}: no` } as const;
        if (request.network === 'none') return { ok: false, reason: 'not_found', problem };
        return request.network === 'busy'
          ? { ok: false, reason: 'refused', problem }
          : { ok: true, endpoint: ENDPOINT };
      },
      detach: async () => ({ ok: true, removed: 1 }),
      clear: async ({ network, mac }) => {
        const problem = { path: '', code: 'failed', message: `${mac} is not held back` } as const;
        return network === 'line1' ? { ok: true, cleared: mac } : { ok: false, reason: 'not_found', problem };
      },
    }),
  ]);
});

afterAll(async () => {
  await listener.close();
  rmSync(directory, { recursive: true, force: true });
});

beforeEach(() => {
  status = healthy;
  bodies = [];
  attached = [];
});

describe('reading', () => {
  test('tables fit 80 columns and show control characters escaped', async () => {
    const verbs = [
      ['status'],
      ['network', 'ls'],
      ['network', 'show', 'line1'],
      ['endpoint', 'ls'],
      ['peer', 'ls'],
      ['fdb'],
      ['history'],
      ['help'],
      ['attach', '--help'],
    ];
    const results = await Promise.all(verbs.map((argv) => run(argv)));
    for (const [index, { code, out, err }] of results.entries()) {
      const widest = Math.max(...out.split('\n').map((line) => line.length));
      expect({ verb: verbs[index], code, err, fits: widest <= 80 }).toEqual({
        verb: verbs[index],
        code: 0,
        err: '',
        fits: true,
      });
      expect(out).not.toContain(ESC);
    }
    expect(results[3]?.out).toContain('\n\\x1b[31mhist');
    expect(results[3]?.out).toContain(ENDPOINT.mac);
    expect(results[2]?.out).toMatch(/\nvlan {5}110\nouter {4}20 /);
    expect(results[0]?.out).toContain('gw-a  healthy');
    expect(results[0]?.out).toMatch(/\neth1 +eth1 +2 +- +ok, promiscuous\n/);
    expect(results[0]?.out).toContain('too many');
  });

  test('a degraded gateway ends status with 1 and its reasons', async () => {
    status = { ...healthy, health: { ok: false, ready: true, starting: false, reasons: [`no cycle${ESC}[2J`] } };
    const { code, out } = await run(['status']);
    expect({ code, out }).toEqual({ code: 1, out: expect.stringContaining('no cycle\\x1b[2J') });
  });

  test('status ends with what was answered and dropped, a line each below a blank one', async () => {
    status = { ...healthy, suppressed_requests: 2, drops: { unknown_vni: 3 } };
    const { out } = await run(['status']);
    expect(out).toMatch(/\n\nanswered 2 requests for neighbours at other sites\ndropped {2}unknown_vni 3\n$/);
  });

  test('the firmware’s health ends with 0 or 1, and its status with 5 where there is none to change', async () => {
    expect(await run(['firmware', 'health'])).toMatchObject({ code: 0, out: 'healthy\n' });
    waiting = ['the broker', 'peer gw-b'];
    expect(await run(['firmware', 'health'])).toMatchObject({ code: 1, out: 'waits for the broker, peer gw-b\n' });
    waiting = [];
    expect(await run(['firmware', 'status'])).toMatchObject({ code: 5, out: expect.stringContaining('no image') });
  });

  test('--json stands anywhere and gives what the service said', async () => {
    expect(JSON.parse((await run(['--json', 'status'])).out)).toEqual(healthy);
    expect(JSON.parse((await run(['peer', 'ls', '--json'])).out)).toEqual(healthy.peers);
    expect(JSON.parse((await run(['version', '--json'])).out)).toMatchObject({ service: '0.1.0' });
  });

  test('events are listed, and followed until the reader leaves', async () => {
    events.add('link', 'warning', `eth1${ESC}]0;x gone`);
    expect((await run(['events'])).out).toContain('warning link: eth1\\x1b]0;x gone\n');
    const child = start('events', '-f', '--json');
    let seen = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (seen += chunk));
    const until = async (text: string): Promise<void> => {
      for (let tries = 0; tries < 300 && !seen.includes(text); tries += 1)
        await new Promise((done) => setTimeout(done, 10));
    };
    await until('gone');
    events.add('link', 'info', 'back');
    await until('back');
    child.kill();
    expect(
      seen
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: number }).id),
    ).toEqual([1, 2]);
  });
});

describe('writing', () => {
  test('YAML and JSON arrive as the same document', async () => {
    const yaml = join(directory, 'site.yaml');
    writeFileSync(yaml, 'v: 1\nversion: 12\nspec:\n  networks: { on: { driver: bridge } }\n');
    expect(await run(['apply', '-f', yaml, '--wait', '5'])).toEqual({ code: 0, out: 'version 12 applied\n', err: '' });
    expect(
      (await run(['apply', '--wait', '-f', '-'], '{"v":1,"version":12,"spec":{"networks":{"on":{"driver":"bridge"}}}}'))
        .code,
    ).toBe(0);
    expect(bodies[0]).toEqual({ v: 1, version: 12, spec: { networks: { on: { driver: 'bridge' } } } });
    expect(bodies[1]).toEqual(bodies[0]);
    expect(await run(['apply', '-f', '-', '--wait=0'], '{"version":13}')).toMatchObject({
      code: 1,
      err: expect.stringContaining('not applied after 0 s'),
    });
  });

  test('a bad document ends with 5 and names each problem', async () => {
    for (const verb of ['apply', 'validate']) {
      const { code, err } = await run([verb, '-f', '-'], '{"bad":true}');
      expect({ code, err }).toEqual({
        code: 5,
        err: expect.stringContaining('/spec/networks/x/vni: network/x: VNI 0'),
      });
    }
    const asJson = await run(['apply', '-f', '-', '--json'], '{"bad":true}');
    expect(JSON.parse(asJson.out)).toMatchObject({ status: 422, errors: [{ code: 'vni_range' }] });
    expect((await run(['validate', '-f', '-'], '{"a":')).code).toBe(5);
    expect((await run(['validate', '-f', '-'], 'a: [1\nb: }')).code).toBe(5);
    expect((await run(['validate', '-f', '-'], `{"a":"${'x'.repeat(10_000_000)}"}`)).code).toBe(5);
    expect((await run(['validate', '-f', join(directory, 'none')])).code).toBe(1);
  });

  test('diff says what would change, and ends with 1 where something would', async () => {
    const same = { code: 0, out: 'means the same as version 6\n', err: '' };
    expect(await run(['diff', '-f', '-'], '{"version":7}')).toEqual(same);
    const { code, out } = await run(['diff', '-f', '-'], '{"version":8}');
    expect([code, ...out.split('\n')]).toEqual([
      1,
      '~ /spec/networks/a/mtu: 1400 -> 1300',
      '+ /spec/networks/b: {"driver":"bridge"}',
      '- /spec/workloads/w: {"alias":"\\u001b[31m"}',
      'it would be on trial: taken back unless it proves itself',
      '',
    ]);
    expect(await run(['diff', '-f', '-'], '{"bad":true}')).toMatchObject({ code: 5 });
    expect((await run(['diff', '-f', '-', '--json'], '{"version":8}')).out).toMatch(/"on_trial": true/);
  });

  test('confirm and rollback say what became of it', async () => {
    expect(await run(['confirm'])).toEqual({ code: 0, out: 'version 7 is confirmed\n', err: '' });
    expect(await run(['confirm', '8'])).toEqual({ code: 5, out: '', err: 'linkspan: nothing waits\n' });
    expect(await run(['confirm', '7', '--json'])).toMatchObject({ code: 0, out: expect.stringContaining('"applied"') });
    expect(await run(['rollback'])).toEqual({ code: 0, out: 'back at version 6\n', err: '' });
    expect(await run(['rollback', '5'])).toEqual({ code: 0, out: 'going back to version 5\n', err: '' });
    expect(await run(['rollback', '9'])).toMatchObject({ code: 4, err: expect.stringContaining('version 9') });
    expect(await run(['rollback', 'x'])).toMatchObject({ code: 2 });
    expect((await run(['history'])).out).toMatch(
      /^6 +cdcdcdcd +rolled_back +- +2026-11-24 09:00:00\n {4}document version 9 is not kept$/m,
    );
  });

  test('apply --wait ends where a confirmation is waited for, and where the document is taken back', async () => {
    const candidate = { version: 14, hash: 'ab', seconds_left: 97, waits_for: ['the confirmation'] };
    status = { ...healthy, config: { ...healthy.config, state: 'confirming', candidate } };
    const waits = 'version 14 stands and is taken back in 97 s, unless you say: linkspan confirm 14\n';
    expect(await run(['apply', '-f', '-', '--wait'], '{"version":14}')).toEqual({ code: 0, out: waits, err: '' });
    const words = 'version 14 on trial, waits for the confirmation; taken back in 97 s otherwise';
    expect((await run(['status'])).out).toContain(words);
    expect(await run(['apply', '-f', '-', '--wait=0'], '{"version":15}')).toMatchObject({
      code: 1,
      err: expect.stringContaining(words),
    });
    const why = { path: '', code: 'broker_lost', message: 'version 14 was taken back' } as const;
    status = { ...healthy, config: { ...healthy.config, state: 'rolled_back', errors: [why] } };
    expect(await run(['apply', '-f', '-', '--wait'], '{"version":14}')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/version 14 was rolled_back\n.*taken back/),
    });
  });

  test('fdb --clear clears a MAC that was found twice', async () => {
    const mac = '02:00:00:00:00:0B';
    const out = '02:00:00:00:00:0b is an ordinary device of network line1 again\n';
    expect(await run(['fdb', 'line1', '--clear', mac])).toEqual({ code: 0, out, err: '' });
    expect(await run(['fdb', 'line2', '--clear', mac])).toMatchObject({ code: 4, out: '' });
    expect(await run(['fdb', 'line1', '--clear', '01:00:5e:00:00:01'])).toMatchObject({ code: 5, out: '' });
    expect(await run(['fdb', '--clear', mac])).toMatchObject({ code: 2, out: '' });
  });

  test('attach and detach send what was typed', async () => {
    expect(
      (await run(['attach', 'w', 'line1', '--netns', 'w1', '--address', '10.110.0.21', '--mac', '02:00:00:00:00:21']))
        .code,
    ).toBe(0);
    expect((await run(['attach', 'w', 'line1', '--pid', '42'])).code).toBe(0);
    expect(attached).toEqual([
      {
        workload: 'w',
        network: 'line1',
        sandbox: { kind: 'netns', name: 'w1' },
        address: '10.110.0.21',
        mac: '02:00:00:00:00:21',
      },
      { workload: 'w', network: 'line1', sandbox: { kind: 'pid', pid: 42 } },
    ]);
    expect(await run(['detach', 'w'])).toEqual({ code: 0, out: '1 endpoint removed\n', err: '' });
  });
});

test('exit codes', async () => {
  const cases: readonly (readonly [number, readonly string[]])[] = [
    [2, []],
    [2, ['doctor']],
    [2, ['network']],
    [2, ['network', 'show']],
    [2, ['status', 'extra']],
    [2, ['status', '--nope']],
    [2, ['apply']],
    [2, ['attach', 'w', 'line1']],
    [2, ['attach', 'w', 'line1', '--container', 'c', '--pid', '1']],
    [3, ['status', '--socket', '/nonexistent/linkspan.sock']],
    [3, ['--socket=/nonexistent/linkspan.sock', 'peer', 'ls']],
    [4, ['network', 'show', 'nope']],
    [4, ['fdb', 'nope']],
    [4, ['attach', 'w', 'none', '--pid', '1']],
    [5, ['attach', 'w', 'busy', '--pid', '1']],
    [0, ['--help']],
    [0, ['help', 'apply']],
  ];
  const got = await Promise.all(
    cases.map(async ([, argv]) => {
      const { code, err } = await run(argv);
      return { argv, code, silent: err === '' };
    }),
  );
  expect(got).toEqual(cases.map(([code, argv]) => ({ argv, code, silent: code === 0 })));
});

test('a table narrower than its cells folds them and loses nothing', () => {
  const text = table([{ title: 'A' }, { title: 'B' }], [['one', 'x'.repeat(50)]], {
    width: 30,
    paint: (_, plain) => plain,
  });
  expect(text.split('\n').every((line) => line.length <= 30)).toBe(true);
  expect(text.match(/x/g)).toHaveLength(50);
});
