import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../lab/wait.ts';
import { AT, NeighbourLab, ROUTER } from './support/neighbour-lab.ts';
import { macOf } from './support/frames.ts';

const [M1, M2, M3] = ['02:00:00:00:0a:01', '02:00:00:00:0a:02', '02:00:00:00:0a:03'];
const X = '10.20.0.60';

describe.each(['kernel', 'user'])('engine %s', (engine) => {
  let lab: NeighbourLab;

  beforeAll(async () => {
    lab = await NeighbourLab.start(engine);
    await lab.apply(false, 'a', 'b');
    await until('the other site', () => lab.workload('a').reaches(AT.b.four));
    await until(
      'A to answer',
      async () => (await lab.flooded(() => lab.ask(lab.workload('a'), AT.b.four))).length === 0,
    );
  });
  afterAll(() => lab.lab.close());

  const asked = (address: string, ...more: readonly string[]): Promise<readonly string[]> =>
    lab.ask(lab.workload('a'), address, ...more);
  const floods = (address: string): Promise<boolean> =>
    lab.flooded(() => asked(address)).then((lines) => lines.some((line) => line.includes(`who-has ${address} `)));
  const answersBy = (address: string, mac: string): Promise<unknown> =>
    until(`${address} to be at ${mac}`, async () => (await asked(address)).join() === mac);
  const fallsSilent = (address: string): Promise<unknown> =>
    until(`nobody to answer for ${address}`, async () => (await asked(address)).length === 0);

  test('who looks for a workload at another site finds it, IPv4 and IPv6, and nothing is flooded', async () => {
    const count = async (): Promise<number> => (await lab.gateway('a').status()).suppressed_requests;
    const before = await count();
    const lines = await lab.flooded(async () => {
      for (const key of ['a', 'b'] as const) await lab.workload(key).ip('neigh', 'flush', 'all');
      expect(await lab.workload('a').reaches(AT.b.four)).toBe(true);
      expect(await lab.workload('a').reaches(AT.b.six)).toBe(true);
      expect(await lab.workload('b').reaches(AT.a.six)).toBe(true);
    });
    expect(lines).toEqual([]);
    const { stdout } = await lab.workload('a').ip('neigh');
    expect(stdout).toContain(`${AT.b.four} dev eth0 lladdr ${AT.b.mac}`);
    expect(stdout).toContain(`${AT.b.six} dev eth0 lladdr ${AT.b.mac}`);
    await until('it to be counted', async () => (await count()) >= before + 2);
    expect((await lab.gateway('a').get('/metrics')).body).toMatch(/^linkspan_suppressed_requests_total [1-9]/m);
  });

  test('a probe is answered, too', async () => {
    expect(await lab.flooded(async () => expect(await asked(AT.b.four, '-D')).toEqual([AT.b.mac]))).toEqual([]);
  });

  test('all sites hear of whom nobody knows, of announcements, and of who looks for a duplicate', async () => {
    const at = lab.workload('a');
    const lines = await lab.flooded(async () => {
      await asked('10.20.0.99');
      await at.attempt('arping', '-U', '-c', '1', '-w', '1', '-I', 'eth0', AT.a.four);
      await at.ip('address', 'add', `${AT.b.six}/64`, 'dev', 'eth0');
      await until('the duplicate to be found', async () =>
        (await at.ip('address', 'show', 'dev', 'eth0')).stdout.includes('dadfailed'),
      );
    });
    await at.ip('address', 'delete', `${AT.b.six}/64`, 'dev', 'eth0');
    for (const words of ['who-has 10.20.0.99', `who-has ${AT.a.four}`, `who has ${AT.b.six}`])
      expect(lines).toContainEqual(expect.stringContaining(words));
    expect(lines).toHaveLength(3);
  });

  test('whoever takes an address of another site for its own is heard there', async () => {
    const at = lab.workload('a');
    await at.ip('address', 'add', `${AT.b.four}/32`, 'dev', 'eth0');
    const announce = ['-U', '-c', '1', '-w', '1', '-I', 'eth0', AT.b.four];
    const lines = await lab.flooded(() => at.attempt('arping', ...announce));
    await at.ip('address', 'delete', `${AT.b.four}/32`, 'dev', 'eth0');
    expect(lines).toEqual([expect.stringContaining(`who-has ${AT.b.four}`)]);
    await lab.workload('b').ip('neigh', 'flush', 'all');
  });

  test('what is asked of one alone passes, so that who is gone is found gone', async () => {
    const [at, other] = [lab.workload('a'), lab.workload('b')];
    await other.ip('address', 'delete', `${AT.b.four}/24`, 'dev', 'eth0');
    const { stdout } = await at.attempt('arping', '-c', '2', '-w', '2', '-I', 'eth0', AT.b.four);
    expect(stdout).toMatch(/Received 1 response/);
    await other.ip('address', 'add', `${AT.b.four}/24`, 'dev', 'eth0');
  });

  test('the answer follows the records: another MAC, another gateway, none', async () => {
    await lab.publish([{ m: M1, ip: [X] }]);
    await answersBy(X, M1);
    await lab.publish([{ m: M2, ip: [X] }]);
    await answersBy(X, M2);
    await lab.say('down');
    await fallsSilent(X);
    expect(await floods(X)).toBe(true);
    await lab.say('up');
    await answersBy(X, M2);
    await lab.publish([]);
    await fallsSilent(X);
    expect(await floods(X)).toBe(true);
  });

  test('nobody gets an answer for a router, an address outside, one that two claim, or one that is here', async () => {
    const [outside, network] = ['10.21.0.5', '10.20.0.255'];
    const claims = [
      { m: M1, ip: [ROUTER, outside, network, '10.20.0.61', X] },
      { m: M2, ip: ['10.20.0.61'] },
      { m: M3, ip: [AT.a.four, AT.b.four] },
    ];
    await lab.publish(claims);
    await answersBy(X, M1);
    for (const address of [ROUTER, outside, network, '10.20.0.61']) expect(await asked(address)).toEqual([]);
    expect(await floods(ROUTER)).toBe(true);
    expect(await floods('10.20.0.61')).toBe(true);
    // B's workload answers for itself, as long as another claims its address.
    expect(await asked(AT.b.four)).toEqual([AT.b.mac]);
    expect(await floods(AT.b.four)).toBe(true);
    expect(await lab.ask(lab.workload('b'), AT.a.four)).toEqual([AT.a.mac]);
    await lab.publish([]);
    await fallsSilent(X);
  });

  test('a workload that goes is asked for again; one that comes here answers itself', async () => {
    await lab.apply(false, 'a');
    await until('B’s to be asked for', () => floods(AT.b.four));
    const robot = await lab.sites.a.workload(`robot-${engine}`);
    const attach = ['attach', 'robot', 'line', '--netns', robot.name, '--address', X];
    await lab.publish([{ m: M1, ip: [X] }]);
    await answersBy(X, M1);
    expect(await lab.gateway('a').cli(...attach)).toMatchObject({ code: 0 });
    await answersBy(X, await macOf(robot, 'eth0'));
    expect(await lab.gateway('a').cli('detach', 'robot')).toMatchObject({ code: 0 });
    await answersBy(X, M1);
    await lab.publish([]);
    await lab.apply(false, 'a', 'b');
    await until('A to answer', async () => !(await floods(AT.b.four)));
  });

  test('stretched: a device gets the answer, others’ devices are asked for', async () => {
    await lab.apply(true, 'a', 'b');
    const { plc } = lab.sites.a;
    await until('the PLC to reach B’s', () => plc.reaches(AT.b.four));
    await until('it to be answered for', async () => (await lab.flooded(() => lab.ask(plc, AT.b.four))).length === 0);
    const lines = await lab.flooded(async () => {
      for (const at of [plc, lab.workload('a')]) {
        await at.ip('neigh', 'flush', 'all');
        expect(await lab.ask(at, AT.b.four)).toEqual([AT.b.mac]);
        expect(await at.reaches(AT.b.four)).toBe(true);
      }
      await lab.workload('a').ip('neigh', 'flush', 'all');
      expect(await lab.workload('a').reaches(AT.b.six)).toBe(true);
      expect(await lab.workload('a').reaches('10.20.0.20')).toBe(true);
    });
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toContain('who-has 10.20.0.20 ');
    await lab.apply(false, 'a', 'b');
    await until('A to answer', async () => !(await floods(AT.b.four)));
    expect(await asked(AT.b.four)).toEqual([AT.b.mac]);
  });
});

describe('the kernel’s engine', () => {
  let lab: NeighbourLab;
  const TABLE = ['netdev', 'linkspan_neighbours-lsx-line'];

  beforeAll(async () => {
    lab = await NeighbourLab.start('kernel');
    await lab.apply(false, 'a', 'b');
    await until('A to answer', isAnswered);
  });
  afterAll(() => lab.lab.close());

  async function isAnswered(): Promise<boolean> {
    const at = lab.workload('a');
    const answers: (readonly string[])[] = [];
    const lines = await lab.flooded(async () => answers.push(await lab.ask(at, AT.b.four)));
    return lines.length === 0 && answers[0]?.join() === AT.b.mac;
  }

  const steps = (): number =>
    lab
      .gateway('a')
      .log()
      .match(/neighbours\.sync/g)?.length ?? 0;
  const nft = (...words: readonly string[]): Promise<{ stdout: string }> => lab.sites.a.gateway.exec('nft', ...words);
  const wake = (): Promise<unknown> =>
    lab.sites.a.gateway.batch(['link add wake type veth peer name sleep', 'link del wake']);

  test.each([
    ['an address', () => nft('delete', 'element', ...TABLE, 'neighbours4', `{ ${AT.b.four} }`)],
    ['the rules', () => nft('flush', 'table', ...TABLE)],
    ['everything', () => nft('flush', 'ruleset')],
    ['the interface that the answers go by', () => lab.sites.a.gateway.ip('link', 'delete', 'lsn-line')],
    ['the vxlan device', () => lab.sites.a.gateway.ip('link', 'delete', 'lsx-line')],
  ])('is mended where somebody takes away %s', async (what, take) => {
    const before = steps();
    await take();
    await wake();
    await until(`${what} to be back`, () => steps() > before);
    await until('A to answer', isAnswered);
    await wake();
    const after = steps();
    await wake();
    expect(steps()).toBe(after);
  });

  test('gives the host no neighbour, no route and no way in', async () => {
    const { gateway } = lab.sites.a;
    for (const device of ['lsn-line', 'lsx-line']) {
      expect((await gateway.ip('neigh', 'show', 'dev', device)).stdout).toBe('');
      expect((await gateway.ip('route', 'show', 'table', 'all', 'dev', device)).stdout).toBe('');
      expect((await gateway.ip('-6', 'route', 'show', 'table', 'all', 'dev', device)).stdout).toBe('');
    }
    await lab.workload('a').batch(['address add 198.51.100.99/24 dev eth0']);
    expect(await lab.ask(lab.workload('a'), '198.51.100.1')).toEqual([]);
    const mac = await macOf(gateway, 'lsn-line');
    await lab.workload('a').ip('neigh', 'replace', '198.51.100.1', 'lladdr', mac, 'dev', 'eth0');
    expect(await lab.workload('a').reaches('198.51.100.1')).toBe(false);
    await lab.workload('a').batch(['address del 198.51.100.99/24 dev eth0']);
  });

  test('leaves nothing behind', async () => {
    await lab.apply(false, 'a');
    await until('the table to go', async () => !(await nft('list', 'tables')).stdout.includes(TABLE[1] ?? ''));
    const links = async (): Promise<string> => (await lab.sites.a.gateway.ip('-br', 'link')).stdout;
    await until('its interface to go', async () => !(await links()).includes('lsn-line'));
  });
});
