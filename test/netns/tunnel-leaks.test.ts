import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { within } from '../../src/host/namespace.ts';
import { openTunnelSocket } from '../../src/host/tunnel-socket.ts';
import { sendFrames } from '../../src/host/packet-socket.ts';
import type { Mac } from '../../src/model/mac.ts';
import { tunnelMac } from '../../src/model/tunnel.ts';
import { type TunnelRequest, tunnelAnswer, tunnelRequest } from '../../src/packet/tunnel-probe.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { Capture } from './support/capture.ts';
import { apply, type Spec, workload } from './support/documents.ts';
import { macOf } from './support/frames.ts';
import { startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';
import { startEnd, type StretchEnd } from './support/stretch-end.ts';
import { vni } from '../unit/support/values.ts';

const VNI = vni(10_110);
const PORT = { kernel: 'lsx-line', user: 'lsu-line' } as const;
/** What a profile lets cross is no matter. */
const GUARDS = { kernel: { profile: 'strict' }, user: { profile: 'default' } } as const;
const [PLC_A, WORK_A, WORK_B] = ['10.20.0.10', '10.20.0.31', '10.20.0.41'];
const BROADCAST = 'ff:ff:ff:ff:ff:ff' as Mac;
const STRANGER = '02:00:00:00:00:77' as Mac;
const PROBES = ['ether', 'proto', '0x88b6'];
/** The same inside VXLAN, as it leaves on the underlay. */
const INNER = ['udp', 'port', '4789', 'and', 'udp[28:2]', '=', '0x88b6'];

/** Of VXLAN, each of which has a line for what is in it, too. */
function packets(text = ''): number {
  return text.match(/VXLAN/g)?.length ?? 0;
}

describe.each(['kernel', 'user'] as const)('a network stretched to two plants, engine %s', (engine) => {
  const lab = new Lab();
  const names = { a: gatewayName(`${engine}-a`), b: gatewayName(`${engine}-b`) };
  let sites: Sites;
  let a: StretchEnd;
  let b: StretchEnd;

  const asked = (name: 'a' | 'b'): Mac => tunnelMac('plant', VNI, names[name]);
  const request = (over: Partial<TunnelRequest> = {}): TunnelRequest => ({
    from: asked('a'),
    to: asked('b'),
    sequence: 0xbeef,
    token: Buffer.from('linkspan'),
    ...over,
  });
  const documentOf = ({ workload: namespace, address }: StretchEnd): Spec => ({
    uplinks: { lan: { interface: 'lan0' } },
    networks: {
      line: {
        driver: 'overlay',
        vni: VNI,
        subnet: '10.20.0.0/24',
        engine,
        guards: GUARDS[engine],
        stretch: { uplink: 'lan' },
      },
    },
    workloads: { [`w${address.split('.')[3]}`]: workload(namespace, { line: { address } }) },
  });

  beforeAll(async () => {
    builtService();
    sites = await twoSites(lab);
    const { broker } = await startBroker(lab, sites.a.gateway, sites.a.underlay);
    for (const { gateway, plc } of [sites.a, sites.b]) {
      // A veth claims to finish checksums inside a tunnel, and does not.
      await gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
      await plc.exec('ethtool', '-K', 'eth0', 'tx', 'off');
    }
    a = await startEnd(lab, sites.a, { name: names.a, broker: broker.url, address: WORK_A });
    b = await startEnd(lab, sites.b, { name: names.b, broker: broker.url, address: WORK_B });
    for (const end of [a, b]) await apply(end.gateway, 1, documentOf(end));
    await until('the sites to reach each other', () => a.workload.reaches(WORK_B));
    await until('the workload to reach its PLC', () => a.workload.reaches(PLC_A));
    const isKnown = async (): Promise<boolean> => (await a.gateway.status()).peers[0]?.datapath === 'ok';
    await until('VXLAN to be asked', isKnown, 30_000);
  });
  afterAll(() => lab.close());

  /** What each of these sees of tunnel probes while something is done. */
  async function seen(
    places: readonly (readonly [Namespace, string, readonly string[]])[],
    act: () => Promise<void>,
  ): Promise<readonly string[]> {
    const captures = await Promise.all(places.map(([at, device, filter]) => Capture.start(lab, at, device, ...filter)));
    await act();
    await sleep(500);
    const texts = await Promise.all(captures.map((capture) => capture.stop()));
    return texts.map((text) =>
      text
        .split('\n')
        .filter((line) => / > .*(?:88b6|VXLAN)/i.test(line))
        .join('\n'),
    );
  }

  test('probes cross between the gateways, and reach no workload and no plant; no bridge learns their MACs', async () => {
    const inside = [a, b].flatMap(({ workload: work, site: { plc, gateway } }) => [
      [work, 'eth0', PROBES] as const,
      [plc, 'eth0', PROBES] as const,
      [gateway, 'lsb-line', PROBES] as const,
    ]);
    const [underlay, ...others] = await seen([[sites.a.gateway, 'wan0', INNER], ...inside], async () => {
      for (let n = 0; n < 5; n += 1) expect((await a.gateway.cli('peer', 'probe')).code).toBe(0);
      expect((await b.gateway.cli('peer', 'probe')).code).toBe(0);
    });
    // there and back
    expect(packets(underlay)).toBeGreaterThanOrEqual(12);
    expect(others).toEqual(inside.map(() => ''));
    for (const { site } of [a, b]) {
      const { stdout } = await site.gateway.exec('bridge', 'fdb', 'show', 'br', 'lsb-line');
      expect(stdout).not.toMatch(new RegExp(`(?:${asked('a')}|${asked('b')}) dev \\S+ master`));
    }
  });

  test.each(['workload', 'plc'] as const)(
    'what a %s sends of the kind does not leave, and is answered to nobody',
    async (who) => {
      const from = who === 'plc' ? sites.a.plc : a.workload;
      const own = await macOf(from, 'eth0');
      const forged = [
        tunnelRequest(request()),
        tunnelRequest(request({ from: own })),
        tunnelRequest(request({ from: asked('b'), to: asked('a') })),
        tunnelRequest(request({ from: own, to: asked('a') })),
        tunnelAnswer(request({ from: asked('b'), to: own })),
        // as its own gateway's: to a peer, to whom nobody knows, and to all, foreign VTEPs among them
        tunnelAnswer(request({ from: asked('b'), to: asked('a') })),
        tunnelAnswer(request({ from: STRANGER, to: asked('a') })),
        tunnelAnswer(request({ from: BROADCAST, to: asked('a') })),
        tunnelRequest(request({ to: BROADCAST })),
      ];
      const isForged = [...INNER, 'and', 'udp[36:2]', '=', '0xbeef'];
      const before = await dropped();
      const found = await seen(
        [
          [sites.a.gateway, 'wan0', isForged],
          [from, 'eth0', [...PROBES, 'and', 'inbound']],
        ],
        async () => sendFrames(from.path, 'eth0', forged),
      );
      expect(found).toEqual(['', '']);
      // A bridge keeps what is for a MAC that it has just learned from the plant.
      expect((await dropped()) - before).toBeGreaterThanOrEqual(who === 'plc' ? 1 : forged.length);
    },
  );

  /** Of this kind or another that may not leave, by the network's rules at A. */
  async function dropped(): Promise<number> {
    const { stdout } = await sites.a.gateway.exec(
      'nft',
      '-j',
      'list',
      'counter',
      'netdev',
      `linkspan-${PORT[engine]}`,
      'protocol_out',
    );
    return Number(/"packets": (\d+)/.exec(stdout)?.[1] ?? 0);
  }

  test('a stranger’s request is not answered, nor more than eight a second of one that is known', async () => {
    // As the service sends its own.
    const [link] = await sites.a.gateway.ipJson<{ ifindex: number }[]>('link', 'show', PORT[engine]);
    const socket = within(sites.a.gateway.path, () => openTunnelSocket());
    const send = (...frames: readonly Buffer[]): void =>
      frames.forEach((frame) => socket.send(frame, link?.ifindex ?? 0));
    const answers = [...INNER, 'and', 'udp[34:1]', '=', '2', 'and', 'udp[36:2]', '=', '0xbeef'];
    const answered = (...frames: readonly Buffer[]): Promise<readonly string[]> =>
      seen([[sites.a.gateway, 'wan0', answers]], async () => send(...frames));
    const none = await answered(tunnelRequest(request({ from: STRANGER })), tunnelRequest(request({ to: STRANGER })));
    const some = await answered(...Array<Buffer>(40).fill(tunnelRequest(request())));
    socket.close();
    expect(none).toEqual(['']);
    const count = packets(some[0]);
    // what the service asks itself counts as well
    expect([count >= 4, count <= 10]).toEqual([true, true]);
  });
});
