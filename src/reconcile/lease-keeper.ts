import { splitAlias } from '../drivers/naming.ts';
import type { DhcpClients } from '../host/dhcp-clients.ts';
import { dhcpIdentity } from '../ipam/dhcp-identity.ts';
import type { DhcpLease } from '../model/dhcp.ts';
import { type Endpoint, endpointKey, sandboxPath } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import type { Clock } from '../service/clock.ts';
import { messageOf } from '../service/errors.ts';
import type { CycleView } from './cycle.ts';
import type { PlantLeases } from './effective.ts';

/** On a slow gateway more clients at once only make each of them late. */
const AT_ONCE_MAX = 8;
const AGAIN_MS = 10_000;

export type LeaseKeeperOptions = {
  readonly gateway: string;
  readonly clients: DhcpClients;
  readonly clock: Clock;
  /** an address, a router or a problem is news */
  readonly onChange: () => void;
};

/** An endpoint whose address the plant's DHCP server says, on the parent that its interface hangs on or will. */
type Leased = Pick<Endpoint, 'workload' | 'network' | 'mac' | 'client'>;

/** Sees to it that every endpoint that wants a lease asks for one, renews it where it is attached, and gives it back. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #stop = new AbortController();
  readonly #asking = new Set<string>();
  /** of those that were given none: why, and when to ask again, in monotonic milliseconds */
  readonly #failed = new Map<string, { readonly why: string; readonly due: number }>();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    options.clients.onChange(options.onChange);
  }

  /** The addresses that hold. */
  get leases(): PlantLeases {
    const held = [...this.#options.clients.leases()];
    return new Map(
      held.flatMap(([key, { lease, phase }]) =>
        lease === undefined || phase === 'ended'
          ? []
          : [[key, { address: lease.address, ...routerOf(lease) }] as const],
      ),
    );
  }

  /** What is to be told of an endpoint's lease, by object. */
  problems(view: CycleView): ReadonlyMap<string, Problem> {
    const states = this.#options.clients.leases();
    return new Map(
      leased(view).flatMap((endpoint) => {
        const key = endpointKey(endpoint);
        const why = states.get(key)?.problem ?? this.#failed.get(key)?.why;
        if (why === undefined) return [];
        const path = `/spec/workloads/${endpoint.workload}/networks/${endpoint.network}`;
        return [
          [`endpoint/${key}`, { path, code: 'no_lease', message: `workload ${endpoint.workload}: ${why}` }] as const,
        ];
      }),
    );
  }

  /**
   * After each cycle.
   * @param known keys of endpoints that are not in the view and are not gone: Docker's on their way
   */
  sync(view: CycleView, known: ReadonlySet<string>): void {
    const wanted = leased(view);
    for (const endpoint of wanted) this.#see(endpoint, view);
    const keys = new Set([...wanted.map((endpoint) => endpointKey(endpoint)), ...known]);
    for (const key of this.#failed.keys()) if (!keys.has(key)) this.#failed.delete(key);
    for (const key of this.#options.clients.leases().keys()) if (!keys.has(key)) void this.release(key);
  }

  /** @throws LinkspanError where there is no lease in time, see `DhcpClients.acquire` */
  async acquire(endpoint: Leased, parent: CycleAttachment, signal: AbortSignal): Promise<DhcpLease> {
    const { mac } = endpoint;
    const identity = this.#identity(endpoint);
    return this.#options.clients.acquire(endpointKey(endpoint), { ...parent, mac, identity }, signal);
  }

  /** To be called while the interface stands: the release goes out on it. */
  release(key: string): Promise<void> {
    return this.#options.clients.release(key);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#options.clients.close();
  }

  #see(endpoint: Endpoint, view: CycleView): void {
    const spec = view.intent.endpoints.find(({ object }) => object === `endpoint/${endpointKey(endpoint)}`);
    if (spec?.attachment.type !== 'macvlan') return;
    const sandbox = view.seen.sandboxes.get(sandboxPath(endpoint.sandbox));
    const link = sandbox?.links.find(({ ours, alias }) => ours && splitAlias(alias).alias === spec.alias);
    const { parent, mode } = spec.attachment;
    if (link !== undefined) {
      const place = { namespace: sandboxPath(endpoint.sandbox), interface: link.name };
      this.#options.clients.hold(endpointKey(endpoint), { ...place, identity: this.#identity(endpoint) });
    } else if (sandbox !== undefined && endpoint.addresses.length === 0) void this.#ask(endpoint, { parent, mode });
  }

  async #ask(endpoint: Endpoint, parent: CycleAttachment): Promise<void> {
    const key = endpointKey(endpoint);
    const now = this.#options.clock.monotonic();
    if (this.#asking.has(key) || this.#asking.size >= AT_ONCE_MAX || now < (this.#failed.get(key)?.due ?? 0)) return;
    this.#asking.add(key);
    try {
      await this.acquire(endpoint, parent, this.#stop.signal);
      this.#failed.delete(key);
    } catch (error) {
      this.#failed.set(key, { why: messageOf(error), due: this.#options.clock.monotonic() + AGAIN_MS });
      this.#options.onChange();
    } finally {
      this.#asking.delete(key);
    }
  }

  #identity({ workload, network, client = workload }: Leased): ReturnType<typeof dhcpIdentity> {
    return dhcpIdentity({ gateway: this.#options.gateway, workload: client, network });
  }
}

type CycleAttachment = Pick<Parameters<DhcpClients['acquire']>[1], 'parent' | 'mode'>;

function leased(view: CycleView): readonly Endpoint[] {
  return view.desired.endpoints.filter(({ addressing }) => addressing === 'dhcp');
}

function routerOf({ router }: DhcpLease): { readonly router?: string } {
  return router === undefined ? {} : { router };
}
