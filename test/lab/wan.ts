import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';

/** The network between sites: a switch that has addresses itself, for brokers, and a port for each gateway. */
export class Wan {
  readonly #lab: Lab;
  /** where brokers run, on `address(101)` and up */
  readonly centre: Namespace;

  private constructor(lab: Lab, centre: Namespace) {
    [this.#lab, this.centre] = [lab, centre];
  }

  /** @param hosts last bytes of the centre's addresses */
  static async create(lab: Lab, hosts: readonly number[]): Promise<Wan> {
    const centre = await lab.namespace('centre');
    await lab.bridge(centre, 'br0');
    await centre.batch(hosts.map((host) => `address add ${Wan.address(host)}/24 dev br0`));
    return new Wan(lab, centre);
  }

  /** 198.51.100.HOST: of RFC 5737's test network 2. */
  static address(host: number): string {
    return `198.51.100.${host}`;
  }

  /** A gateway's namespace with that address on its `wan0`. */
  async gateway(label: string, host: number): Promise<Namespace> {
    const gateway = await this.#lab.namespace(label);
    await this.#lab.veth(gateway, 'wan0', this.centre, label);
    await this.centre.ip('link', 'set', label, 'master', 'br0');
    await gateway.ip('address', 'add', `${Wan.address(host)}/24`, 'dev', 'wan0');
    return gateway;
  }
}
