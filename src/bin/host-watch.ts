import type { DatapathStatus } from '../datapath/status.ts';
import { BridgeWatch } from '../host/bridge-watch.ts';
import { DatapathWatch } from '../host/datapath-watch.ts';
import { watchHost } from '../host/link-events.ts';
import type { ObservedLink } from '../host/links.ts';
import type { GatewayState } from './gateway-state.ts';

/** Says when something on the host has changed: a link, an address, a route, a workload's namespace, the datapath. */
export class HostWatch {
  readonly #state: GatewayState;
  readonly #onChange: () => void;
  readonly #datapath: DatapathWatch;
  readonly #bridges: BridgeWatch;

  constructor(state: GatewayState, onChange: () => void) {
    this.#state = state;
    this.#onChange = onChange;
    this.#datapath = new DatapathWatch({
      socket: state.bootstrap.datapath.socket,
      wanted: () => state.view?.desired.networks.some((network) => network.driver === 'overlay') ?? false,
      onChange,
    });
    this.#bridges = new BridgeWatch({ ports: () => this.#plantPorts(), onChange });
  }

  /** The datapath's latest answer, where there is one. */
  get datapath(): DatapathStatus | undefined {
    return this.#datapath.latest ?? this.#state.view?.seen.datapath;
  }

  /** Returns what ends it. */
  start(): () => void {
    const links = watchHost(this.#onChange, () => this.#namedSandboxes());
    const endDatapath = this.#datapath.start();
    const endBridges = this.#bridges.start();
    return () => {
      endBridges();
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

  /** The names in /run/netns whose coming and going matters. */
  #namedSandboxes(): ReadonlySet<string> {
    const endpoints = this.#state.view?.desired.endpoints ?? [];
    return new Set(endpoints.flatMap(({ sandbox }) => (sandbox.kind === 'netns' ? [sandbox.name] : [])));
  }
}
