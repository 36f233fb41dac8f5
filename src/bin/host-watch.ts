import type { DatapathStatus } from '../datapath/status.ts';
import { BridgeWatch, type Learned } from '../host/bridge-watch.ts';
import { DatapathWatch } from '../host/datapath-watch.ts';
import { GuardWatch } from '../host/guard-watch.ts';
import { watchHost } from '../host/link-events.ts';
import type { ObservedLink } from '../host/links.ts';
import { suppressedRequests } from '../host/neighbour-tables.ts';
import { parseMac } from '../model/mac.ts';
import type { EventSink } from '../model/status.ts';
import { systemClock } from '../service/clock.ts';
import { GuardEpisodes } from '../status/guard-episodes.ts';
import { type GuardDrop, guardDrops } from '../status/guards.ts';
import { devicesOf } from '../status/snapshot.ts';
import type { GatewayState } from './gateway-state.ts';

/** Says when something on the host has changed: a link, an address, a route, a workload's namespace, the datapath; and what the guards drop. */
export class HostWatch {
  readonly #state: GatewayState;
  readonly #onChange: () => void;
  readonly #datapath: DatapathWatch;
  readonly #guards: GuardWatch;
  readonly #bridges: BridgeWatch;

  constructor(state: GatewayState, onChange: () => void, event: EventSink) {
    this.#state = state;
    this.#onChange = onChange;
    const wanted = (): boolean => state.view?.desired.networks.some(({ driver }) => driver === 'overlay') ?? false;
    this.#datapath = new DatapathWatch({ socket: state.bootstrap.datapath.socket, wanted, onChange });
    const episodes = new GuardEpisodes(systemClock, event);
    const onLook = (): void => {
      episodes.update(this.guardDrops);
      state.directory.lookAtTunnels();
    };
    this.#guards = new GuardWatch({ wanted, onLook });
    this.#bridges = new BridgeWatch({
      ports: () => this.#plantPorts(),
      known: () => ({ learned: this.#devices(), cycle: this.#state.view }),
      onChange,
    });
  }

  /** The datapath's latest answer, where there is one. */
  get datapath(): DatapathStatus | undefined {
    return this.#datapath.latest ?? this.#state.view?.seen.datapath;
  }

  /** At the latest look. */
  get guardDrops(): readonly GuardDrop[] {
    return guardDrops(this.#state.view, this.#guards.latest);
  }

  /** Requests for neighbours that the kernel's engine has answered, at the latest look. */
  get suppressed(): number {
    return suppressedRequests(this.#guards.latest);
  }

  /** Returns what ends it. */
  start(): () => void {
    const links = watchHost(this.#onChange, () => this.#namedSandboxes());
    const endDatapath = this.#datapath.start();
    const endGuards = this.#guards.start();
    const endBridges = this.#bridges.start();
    return () => {
      endBridges();
      endGuards();
      endDatapath();
      links.close();
    };
  }

  /** The stretched networks' ports towards the plant. */
  #plantPorts(): readonly ObservedLink[] {
    const { view } = this.#state;
    const names = new Set([...(view?.intent.networks.values() ?? [])].map(({ stretch }) => stretch?.plant));
    return (view?.seen.links ?? []).filter(({ name }) => names.has(name));
  }

  /** The devices behind those ports, by the latest cycle; not those that it has left to a peer. */
  #devices(): readonly Learned[] {
    const { view, devices } = this.#state;
    return (view?.desired.networks ?? []).flatMap((network) => {
      const port = view?.intent.networks.get(network.name)?.stretch?.plant;
      if (view === undefined || port === undefined || network.driver !== 'overlay') return [];
      const macs = devicesOf(view, network.name).flatMap((mac) => parseMac(mac) ?? []);
      return macs.filter((mac) => !devices.yields(network.vni, mac)).map((mac) => ({ mac, port }));
    });
  }

  /** The names in /run/netns whose coming and going matters. */
  #namedSandboxes(): ReadonlySet<string> {
    const endpoints = this.#state.view?.desired.endpoints ?? [];
    return new Set(endpoints.flatMap(({ sandbox }) => (sandbox.kind === 'netns' ? [sandbox.name] : [])));
  }
}
