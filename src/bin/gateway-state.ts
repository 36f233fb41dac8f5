import { Documents, type DocumentsOptions } from '../control/documents/documents.ts';
import { Epoch } from '../control/session/epoch.ts';
import { remotesByVni } from '../control/views/local-state.ts';
import type { ProbeSource } from '../control/probes/probe-peers.ts';
import { RenewedKeys } from '../control/probes/probe-keys.ts';
import { WayProbes } from '../control/probes/way-probes.ts';
import { wishesOf } from '../docker/records.ts';
import { openEchoSocket } from '../host/echo-socket.ts';
import { openTunnelSocket } from '../host/tunnel-socket.ts';
import type { RemotesByVni } from '../model/peer.ts';
import { BurstStore } from '../peers/burst-store.ts';
import { DeviceClaims } from '../peers/devices.ts';
import { PeerDirectory } from '../peers/directory.ts';
import type { EventSink, FdbEntry } from '../model/status.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import { systemClock } from '../service/clock.ts';
import { messageOf } from '../service/errors.ts';
import type { Log } from '../service/log.ts';
import { fdbEntries } from '../status/snapshot.ts';
import { openStore, type Store } from '../store/store.ts';
import type { TrustGate } from '../trust/gate.ts';
import { createGate } from './gateway-trust.ts';

/** Who is told when a document comes, or how far it is. */
export type StateHooks = Pick<DocumentsOptions, 'event' | 'onAccepted' | 'onStatus' | 'onBack' | 'surroundings'> & {
  readonly isOnBroker: () => boolean;
};

/** All that the gateway knows: what is wanted of it, what its peers say, and what the last cycle saw. */
export class GatewayState {
  readonly bootstrap: Bootstrap;
  readonly store: Store;
  readonly epoch: Epoch;
  readonly probes: WayProbes;
  readonly trust: TrustGate;
  readonly directory: PeerDirectory;
  readonly #peers: BurstStore;
  readonly documents: Documents;
  readonly devices = new DeviceClaims(systemClock);
  /** of loop probes */
  readonly probeKeys = new RenewedKeys(systemClock);
  /** the last cycle's, with what all watchers found; undefined before the first */
  view: CycleView | undefined;

  /** Opens the state file. @throws LinkspanError see `openStore` and `createGate` */
  constructor(bootstrap: Bootstrap, log: Log, hooks: StateHooks) {
    const { gateway, fleet, state } = bootstrap;
    const store = openStore(state.path, log);
    this.bootstrap = bootstrap;
    this.store = store;
    this.epoch = new Epoch(store.epoch, state.path, hooks.event);
    this.probes = new WayProbes({
      clock: systemClock,
      openEcho: openEchoSocket,
      openTunnel: openTunnelSocket,
      onEvent: hooks.event,
      onChange: (ip) => this.directory.probed(ip),
    });
    const trust = createGate(bootstrap, store.trust, hooks.event);
    this.trust = trust;
    this.#peers = new BurstStore({
      store: store.peers,
      transaction: (writes) => store.transaction(writes),
      onTrouble: (error) => tellOfDisk(hooks.event, state.path, error),
    });
    this.directory = new PeerDirectory({
      gateway,
      fleet,
      store: this.#peers,
      clock: systemClock,
      onEvent: hooks.event,
      probes: this.probes,
      admits: (...said) => trust.admits(...said),
      isOnBroker: hooks.isOnBroker,
    });
    this.documents = new Documents({
      ...hooks,
      gateway,
      store: store.documents,
      damaged: store.recovered !== null,
      interfaces: () => this.view && new Set(this.view.seen.links.map((link) => link.name)),
    });
  }

  /** Whom `peer probe` asks. */
  get probeSource(): ProbeSource {
    return { peers: () => this.directory.peers(), probes: this.probes };
  }

  /** The other gateways in each of our VNIs: the document's and those of networks that Docker made. */
  remotes(): RemotesByVni {
    const networks = [...this.documents.desired.networks, ...wishesOf(this.store.docker).networks];
    return remotesByVni(networks, this.directory);
  }

  /** The forwarding table as the last cycle saw it. */
  fdb(): readonly FdbEntry[] {
    return this.view ? fdbEntries(this.view, this.remotes(), this.bootstrap.gateway) : [];
  }

  /** Closes the state file, after what peers said last. */
  close(): void {
    this.#peers.flush();
    this.store.close();
  }
}

function tellOfDisk(event: EventSink, path: string, error: unknown): void {
  if (error === undefined) return event('state.writable', 'info', `${path}: what peers say is stored again`);
  const remedy = 'free some space or mend the file; until then what peers say holds for this run only';
  return event('state.unwritable', 'error', `${path}: ${messageOf(error)}; ${remedy}`);
}
