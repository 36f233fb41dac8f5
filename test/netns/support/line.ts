import { type Gateway, startGateway } from '../../lab/gateway.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { until } from '../../lab/wait.ts';
import { Wan } from '../../lab/wan.ts';
import { apply, workload } from './documents.ts';
import { gatewayName } from './names.ts';

const VNI = 10_110;
const PATIENCE_MS = 30_000;

const macOf = (address: string): string =>
  `02:00:00:00:00:${Number(address.split('.').at(-1)).toString(16).padStart(2, '0')}`;

/** A gateway with its workloads on the one overlay network `line`, that of its own key from the start. */
export class LineGateway {
  readonly gateway: Gateway;
  readonly at: Namespace;
  readonly #lab: Lab;
  readonly #key: string;
  readonly #vni: number;
  readonly #workloads = new Map<string, { readonly at: Namespace; readonly address: string }>();
  #version = 0;

  private constructor(lab: Lab, key: string, at: Namespace, gateway: Gateway, vni: number) {
    [this.#lab, this.#key, this.at, this.gateway, this.#vni] = [lab, key, at, gateway, vni];
  }

  /** @param host last byte of the address of `at` on the WAN; @param url its broker's */
  static async start(
    lab: Lab,
    at: Namespace,
    key: string,
    host: number,
    url: string,
    { fleet = 'default', vni = VNI }: { readonly fleet?: string; readonly vni?: number } = {},
  ): Promise<LineGateway> {
    const underlay = { address: Wan.address(host) };
    const config = { gateway: gatewayName(key), fleet, underlay, mqtt: { url }, status: { listen: '127.0.0.1:0' } };
    return new LineGateway(lab, key, at, await startGateway(lab, { namespace: at, config }), vni);
  }

  /** Adds a workload `KEY-NAME` with that address; returns where it runs. */
  async add(name: string, address: string): Promise<Namespace> {
    const at = await this.#lab.namespace(`${this.#key}-${name}`);
    this.#workloads.set(name, { at, address });
    await this.#apply();
    return at;
  }

  /** Gives a workload another address, and MAC. */
  async move(name: string, address: string): Promise<void> {
    const { at } = this.#workloads.get(name) ?? {};
    if (at) this.#workloads.set(name, { at, address });
    await this.#apply();
  }

  async remove(name: string): Promise<void> {
    this.#workloads.delete(name);
    await this.#apply();
  }

  /** Whether its kernel sends frames for the workload of that address to another gateway, as that one's record says. */
  async knows(address: string): Promise<boolean> {
    const { stdout } = await this.at.exec('bridge', 'fdb', 'show', 'dev', 'lsx-line');
    return stdout.includes(`${macOf(address)} dst `);
  }

  async connected(): Promise<boolean> {
    return (await this.gateway.status()).broker.connected;
  }

  #apply(): Promise<void> {
    this.#version += 1;
    const workloads = [...this.#workloads].map(([name, { at, address }]): [string, unknown] => [
      `${this.#key}-${name}`,
      workload(at, { line: { address, mac: macOf(address) } }),
    ]);
    const line = { driver: 'overlay', vni: this.#vni, subnet: '10.110.0.0/24' };
    return apply(this.gateway, this.#version, { networks: { line }, workloads: Object.fromEntries(workloads) });
  }
}

/** Waits until a gateway knows the workload of an address, or no more; milliseconds that it took. */
export async function learned(
  gateway: LineGateway,
  address: string,
  known = true,
  timeoutMs = PATIENCE_MS,
): Promise<number> {
  const begun = performance.now();
  const what = `${gateway.at.label} to ${known ? 'know' : 'forget'} ${address}`;
  await until(what, async () => (await gateway.knows(address)) === known, timeoutMs);
  return Math.round(performance.now() - begun);
}
