import { sendFrames } from '../../../src/host/packet-socket.ts';
import { startDatapath } from '../../lab/datapath.ts';
import { type Gateway, startGateway } from '../../lab/gateway.ts';
import { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { type Site, type Sites, twoSites } from '../../lab/sites.ts';
import { until } from '../../lab/wait.ts';
import { builtService } from './built.ts';
import { Capture } from './capture.ts';
import { apply, workload } from './documents.ts';
import { plain, SENDER } from './guard-frames.ts';
import { gatewayName } from './names.ts';

export const MAC = { a: '02:00:00:00:00:11', b: '02:00:00:00:00:21' } as const;
const AT = { a: ['10.110.0.11', 'fd00:110::11'], b: ['10.110.0.21', 'fd00:110::21'] } as const;

export type GuardEnd = {
  readonly key: 'a' | 'b';
  readonly site: Site;
  readonly gateway: Gateway;
  readonly workload: Namespace;
};

/** A gateway with both engines, and a workload on the network `line`. */
async function startEnd(lab: Lab, site: Site, key: 'a' | 'b', url: string): Promise<GuardEnd> {
  const dir = await lab.folder();
  const datapath = await startDatapath(lab, site.gateway, { dir });
  const mqtt = url === '' ? { url, embedded: { listen: `${site.underlay}:1883` } } : { url };
  // A veth claims to offload what is inside a tunnel, and hands packets over with checksums that nobody finished.
  await site.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
  const config = {
    gateway: gatewayName(key),
    underlay: { address: site.underlay },
    mqtt,
    status: { listen: '127.0.0.1:0' },
    datapath: { socket: datapath.socket },
  };
  const gateway = await startGateway(lab, { namespace: site.gateway, dir, config });
  return { key, site, gateway, workload: await site.workload('w1') };
}

/** Two sites, the first one's gateway with its workload; the second is up to the test. */
export class GuardLab {
  readonly lab = new Lab();
  readonly engine: string;
  readonly sites: Sites;
  readonly a: GuardEnd;
  #version = 0;

  private constructor(lab: Lab, engine: string, sites: Sites, a: GuardEnd) {
    this.lab = lab;
    this.engine = engine;
    this.sites = sites;
    this.a = a;
  }

  static async start(engine: string): Promise<GuardLab> {
    builtService();
    const lab = new Lab();
    try {
      const sites = await twoSites(lab);
      return new GuardLab(lab, engine, sites, await startEnd(lab, sites.a, 'a', ''));
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** The second site's gateway, a Linkspan too. */
  async peer(): Promise<GuardEnd> {
    return startEnd(this.lab, this.sites.b, 'b', `mqtt://${this.sites.a.underlay}:1883`);
  }

  /** A VTEP without any guard at the second site: its device `foreign` is where frames are put in. */
  async foreign(): Promise<Namespace> {
    const { gateway } = this.sites.b;
    await gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
    await gateway.batch([
      'link add foreign type vxlan id 10110 local 198.51.100.2 remote 198.51.100.1 dstport 4789',
      'address add 10.110.0.99/24 dev foreign',
      'address add fd00:110::99/64 dev foreign nodad',
      `link set foreign address ${SENDER} mtu 1450 up`,
    ]);
    return gateway;
  }

  /** Has the network stand at these ends, each with its workload, and more of a document. */
  async apply(
    ends: readonly GuardEnd[],
    guards?: Record<string, unknown>,
    more: Record<string, unknown> = {},
  ): Promise<void> {
    this.#version += 1;
    for (const { key, gateway, workload: at } of ends) {
      const base = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24', subnet6: 'fd00:110::/64' };
      const line = { ...base, engine: this.engine, peers: ['198.51.100.2'], ...(guards && { guards }) };
      const on = { line: { address: AT[key][0], address6: AT[key][1], mac: MAC[key] } };
      const networks = { line: key === 'a' && ends.length === 1 ? line : { ...line, peers: [] }, ...more };
      await apply(gateway, this.#version, { networks, workloads: { [`w-${key}`]: workload(at, on) } });
    }
  }

  /** Takes all of the document away from the first gateway. */
  async leave(): Promise<void> {
    this.#version += 1;
    await apply(this.a.gateway, this.#version, {});
  }

  /** Puts frames in at one place and tells which of them, by name, came out at a workload. */
  async crossing(
    from: Namespace,
    device: string,
    frames: Readonly<Record<string, Buffer>>,
    to: GuardEnd,
  ): Promise<readonly string[]> {
    const capture = await Capture.start(this.lab, to.workload, 'eth0', '-Q', 'in', '-xx');
    const ends = [1, 2, 3, 4, 5, 6, 7, 8].map((port) => plain(MAC[to.key], port));
    // One by one: what is dropped on its way out is an error, which ends a call.
    for (const frame of Object.values(frames)) sendFrames(from.path, device, [frame]);
    // These cross by each of the other end's threads; what that one had before has come by then. On a busy machine one was
    // lost, why is not known, so they are sent again.
    let sent = Number.NEGATIVE_INFINITY;
    await until('the last frames', () => {
      const soFar = framesIn(capture.text());
      const missing = ends.filter((end) => !isAmong(end, soFar));
      if (missing.length > 0 && performance.now() - sent > 500) {
        for (const end of missing) sendFrames(from.path, device, [end]);
        sent = performance.now();
      }
      return missing.length === 0;
    });
    const arrived = framesIn(await capture.stop());
    return Object.entries(frames).flatMap(([name, frame]) => (isAmong(frame, arrived) ? [name] : []));
  }
}

/** The frames of tcpdump's listing in hexadecimal. */
function framesIn(text: string): readonly Buffer[] {
  return text
    .split(/^(?!\t)/m)
    .map((one) =>
      Buffer.from([...one.matchAll(/^\t0x\w+: +(.*)$/gm)].map((row) => row[1]?.replaceAll(' ', '')).join(''), 'hex'),
    );
}

function isAmong(sent: Buffer, arrived: readonly Buffer[]): boolean {
  return arrived.some((other) => other.subarray(0, sent.length).equals(sent));
}
