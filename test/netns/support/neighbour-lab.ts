import { startDatapath } from '../../lab/datapath.ts';
import { type Gateway, startGateway } from '../../lab/gateway.ts';
import { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { type Site, type Sites, twoSites } from '../../lab/sites.ts';
import { until } from '../../lab/wait.ts';
import { builtService } from './built.ts';
import { Capture } from './capture.ts';
import { apply, workload } from './documents.ts';
import { type FleetBroker, startBroker } from './mqtt.ts';
import { gatewayName } from './names.ts';

const VNI = 10_110;
export const AT = {
  a: { four: '10.20.0.31', six: 'fd00:20::31', mac: '02:00:00:00:00:31' },
  b: { four: '10.20.0.41', six: 'fd00:20::41', mac: '02:00:00:00:00:41' },
} as const;
export const ROUTER = '10.20.0.1';
/** No workload, device or record has it. */
const NOBODY = '10.20.0.250';

export type Claim = { readonly m: string; readonly ip: readonly string[]; readonly q?: number };

/** Two sites with a workload each on the network `line`, a broker, and a third gateway that only its records make. */
export class NeighbourLab {
  readonly lab: Lab;
  readonly sites: Sites;
  readonly fleet: FleetBroker;
  readonly engine: string;
  readonly gateways = new Map<'a' | 'b', Gateway>();
  readonly workloads = new Map<'a' | 'b', Namespace>();
  #version = 0;
  #seq = 0;

  private constructor(lab: Lab, sites: Sites, fleet: FleetBroker, engine: string) {
    this.lab = lab;
    this.sites = sites;
    this.fleet = fleet;
    this.engine = engine;
  }

  static async start(engine: string): Promise<NeighbourLab> {
    builtService();
    const lab = new Lab();
    try {
      const sites = await twoSites(lab);
      const fleet = await startBroker(lab, sites.a.gateway, sites.a.underlay);
      const self = new NeighbourLab(lab, sites, fleet, engine);
      for (const key of ['a', 'b'] as const) await self.#startEnd(key, sites[key]);
      return self;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  async #startEnd(key: 'a' | 'b', site: Site): Promise<void> {
    const dir = await this.lab.folder();
    const datapath = await startDatapath(this.lab, site.gateway, { dir });
    // A veth claims to finish checksums inside a tunnel, and does not.
    await site.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
    await site.plc.exec('ethtool', '-K', 'eth0', 'tx', 'off');
    const config = {
      gateway: gatewayName(`${this.engine}-${key}`),
      fleet: 'plant',
      underlay: { address: site.underlay },
      mqtt: { url: this.fleet.broker.url },
      status: { listen: '127.0.0.1:0' },
      datapath: { socket: datapath.socket },
    };
    this.gateways.set(key, await startGateway(this.lab, { namespace: site.gateway, dir, config }));
    this.workloads.set(key, await site.workload('w'));
  }

  gateway(key: 'a' | 'b'): Gateway {
    return this.gateways.get(key) ?? fail(key);
  }

  workload(key: 'a' | 'b'): Namespace {
    return this.workloads.get(key) ?? fail(key);
  }

  /** Has the network stand at both sites; workloads of a site, by default its own one. */
  async apply(stretched: boolean, ...at: readonly ('a' | 'b')[]): Promise<void> {
    this.#version += 1;
    const base = { driver: 'overlay', vni: VNI, subnet: '10.20.0.0/24', subnet6: 'fd00:20::/64', gateway: ROUTER };
    const line = { ...base, engine: this.engine, ...(stretched && { stretch: { uplink: 'lan' } }) };
    for (const key of ['a', 'b'] as const) {
      const { four: address, six: address6, mac } = AT[key];
      const on = workload(this.workload(key), { line: { address, address6, mac } });
      const workloads = at.includes(key) ? { [`w-${key}`]: on } : {};
      await apply(this.gateway(key), this.#version, {
        uplinks: { lan: { interface: 'lan0' } },
        networks: { line },
        workloads,
      });
    }
  }

  /** The third gateway's record: which MACs it has, with which addresses. */
  async publish(macs: readonly Claim[]): Promise<void> {
    const [gw, seq] = [gatewayName(`${this.engine}-x`), (this.#seq += 1)];
    const vtep = [{ ip: '198.51.100.7', port: 4789 }];
    const full = macs.map(({ m, ip, q = 0 }) => ({ m, ip, q, s: 1 }));
    const rest = { mtu: 1450, bum: 'replicate', caps: [], pages: 0, iat: 0, exp: 2 ** 40 };
    const record = { v: 1, fleet: 'plant', vni: VNI, gw, epoch: 1, seq, vtep, macs: full, ...rest };
    await this.fleet.operator.publish(`vni/${VNI}/gw/${gw}`, record);
  }

  /** What the broker says of the third gateway. */
  async say(state: 'up' | 'down'): Promise<void> {
    const gw = gatewayName(`${this.engine}-x`);
    const alive = { v: 1, gw, epoch: 1, seq: (this.#seq += 1), state, vteps: [], vnis: { [VNI]: [1, '0'.repeat(16)] } };
    await this.fleet.operator.publish(`gw/${gw}/alive`, alive);
  }

  /** What leaves site A for other sites while `act` runs, and is sent to all there. */
  async flooded(act: () => Promise<unknown>): Promise<readonly string[]> {
    const filter = ['src', 'host', this.sites.a.underlay, 'and', 'dst', 'host', this.sites.b.underlay, 'and', 'udp'];
    const capture = await Capture.start(this.lab, this.sites.a.gateway, 'wan0', ...filter);
    await act();
    // Who asks for nobody is always heard there, and by then all others had their time.
    await until('the last frame', async () => {
      await this.ask(this.workload('a'), NOBODY);
      return capture.text().includes(`who-has ${NOBODY}`);
    });
    const lines = (await capture.stop()).split('\n').filter((line) => /> (?:ff:ff:ff:ff:ff:ff|33:33:\S+), /.test(line));
    return lines.filter((line) => /who-has|who has|neighbor advert/.test(line) && !line.includes(NOBODY));
  }

  /** Who answers one ARP request, by MAC; a broadcast from the interface's own address, or with `-D` a probe. */
  async ask(from: Namespace, address: string, ...more: readonly string[]): Promise<readonly string[]> {
    const argv = ['-c', '1', '-b', '-w', '1', ...more, '-I', 'eth0', address];
    const { stdout } = await from.attempt('arping', ...argv);
    return [...stdout.matchAll(/reply from \S+ \[(\S+)\]/g)].map(([, mac = '']) => mac.toLowerCase());
  }
}

function fail(key: string): never {
  throw new Error(`no end ${key}`);
}
