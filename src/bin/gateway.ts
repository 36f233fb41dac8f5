import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { captureRoute, type CaptureSource } from '../control/capture.ts';
import { createCommands } from '../control/commands.ts';
import { Documents } from '../control/documents.ts';
import { GatewaySession } from '../control/gateway-session.ts';
import { duplicateProblems, localState, ownMacs, remotesByVni } from '../control/local-state.ts';
import { encodeReported } from '../control/reported.ts';
import { wireInterfaces, wireProblems } from '../control/wire-conflicts.ts';
import { writeRoutes } from '../control/writes.ts';
import type { DockerContext } from '../docker/context.ts';
import { leaseKeys, wishesOf } from '../docker/records.ts';
import { desiredSchema } from '../document/index.ts';
import { probeAddresses } from '../host/address-probe.ts';
import { AddressWatch } from '../host/address-watch.ts';
import { DhcpClients } from '../host/dhcp-clients.ts';
import { DatapathWatch } from '../host/datapath-watch.ts';
import { watchHost } from '../host/link-events.ts';
import type { Endpoint } from '../model/network.ts';
import { PeerDirectory } from '../peers/directory.ts';
import { Publisher } from '../peers/publisher.ts';
import { type CycleInput, type CycleView, remoteAddresses } from '../reconcile/cycle.ts';
import { LeaseKeeper } from '../reconcile/lease-keeper.ts';
import { ReconcileLoop } from '../reconcile/loop.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import { messageOf } from '../service/errors.ts';
import { systemClock } from '../service/clock.ts';
import type { Log } from '../service/log.ts';
import { EventRing } from '../status/events.ts';
import { newFailures } from '../status/failures.ts';
import { gatewayStatus, type StatusParts } from '../status/gateway-status.ts';
import { readRoutes } from '../status/read-routes.ts';
import { type Listener, listenTcp, listenUnix } from '../status/server.ts';
import { endpointStatuses, fdbEntries } from '../status/snapshot.ts';
import { uplinkProblems } from '../status/uplinks.ts';
import { openStore, type Store } from '../store/store.ts';
import { DockerPlugin } from './docker-plugin.ts';
import { GatewayNames } from './gateway-names.ts';

/** Beside the programs, in the sources as in the package. */
const DHCP_HOOK = fileURLToPath(new URL('../host/udhcpc-hook', import.meta.url));
const YIELD_MS = 30_000;

/** The service as a whole: built here, started in order, stopped in reverse. */
export class Gateway {
  readonly #bootstrap: Bootstrap;
  readonly #log: Log;
  readonly #version: string;
  readonly #store: Store;
  readonly #events = new EventRing();
  readonly #directory: PeerDirectory;
  readonly #documents: Documents;
  readonly #loop: ReconcileLoop;
  readonly #datapath: DatapathWatch;
  readonly #names: GatewayNames;
  readonly #docker: DockerPlugin;
  readonly #leases: LeaseKeeper;
  readonly #addresses: AddressWatch;
  readonly #started = systemClock.monotonic();
  readonly #stops: (() => Promise<void> | void)[] = [];
  #epoch: number;
  #brokerUrl: string;
  #session: GatewaySession | undefined;
  #view: CycleView | undefined;
  #raised = false;
  #stopped = false;

  constructor(bootstrap: Bootstrap, log: Log, version: string) {
    this.#bootstrap = bootstrap;
    this.#log = log;
    this.#version = version;
    this.#brokerUrl = bootstrap.mqtt.url;
    this.#store = openStore(bootstrap.state.path, log);
    this.#epoch = this.#store.epoch.bumpEpoch();
    const { gateway, fleet } = bootstrap;
    const event = this.#event.bind(this);
    this.#directory = new PeerDirectory({
      gateway,
      fleet,
      store: this.#store.peers,
      clock: systemClock,
      onEvent: event,
    });
    this.#documents = new Documents({
      gateway,
      store: this.#store.documents,
      damaged: this.#store.recovered !== null,
      interfaces: () => this.#view && new Set(this.#view.seen.links.map((link) => link.name)),
      event,
      onAccepted: () => this.#loop.wake('input'),
      onStatus: () => this.#report(),
    });
    const clients = new DhcpClients({ hook: DHCP_HOOK, store: this.#store.dhcpLeases });
    this.#leases = new LeaseKeeper({ gateway, clients, clock: systemClock, onChange: () => this.#loop.wake('peers') });
    this.#loop = new ReconcileLoop({
      input: () => this.#input(),
      endpoints: this.#store.endpoints,
      releaseLease: (key) => this.#leases.release(key),
      clock: systemClock,
      log,
      onCycle: (view) => this.#cycled(view),
    });
    this.#names = new GatewayNames(bootstrap.names.resolvConf, () => this.#loop.wake('host'));
    this.#datapath = new DatapathWatch({
      socket: bootstrap.datapath.socket,
      wanted: () => this.#view?.desired.networks.some((network) => network.driver === 'overlay') ?? false,
      onChange: () => this.#loop.wake('host'),
    });
    this.#addresses = new AddressWatch({
      probe: probeAddresses,
      clock: systemClock,
      onChange: () => this.#loop.wake('peers'),
    });
    this.#docker = new DockerPlugin(bootstrap.docker, this.#dockerContext(), this.#store.docker.addresses);
  }

  /** Returns when the gateway stands as its stored document says and answers on its sockets; the broker may come later. */
  async start(): Promise<void> {
    const { status, control } = this.#bootstrap;
    this.#stops.push(() => this.#store.close());
    if (this.#store.recovered !== null) {
      const message = `the state file was damaged; it is kept as ${this.#store.recovered}; apply the document again`;
      this.#event('state.recovered', 'error', message);
    }
    const read = readRoutes({
      status: () => gatewayStatus(this.#parts()),
      fdb: () => (this.#view ? fdbEntries(this.#view, this.#remotes(), this.#bootstrap.gateway) : []),
      events: this.#events,
      desiredSchema,
    });
    this.#stops.push(() => this.#leases.stop());
    this.#stops.push(() => this.#names.close());
    this.#stops.push(() => this.#addresses.stop());
    this.#stops.push(() => this.#loop.stop());
    await this.#loop.settled();
    this.#stops.push(closing(await listenTcp(status.listen, read)));
    this.#stops.push(
      closing(
        await listenUnix(control.socket, [
          ...read,
          captureRoute(this.#captureSource()),
          ...writeRoutes(this.#commands()),
        ]),
      ),
    );
    await this.#docker.start();
    this.#stops.push(() => this.#docker.stop());
    const watcher = watchHost(
      () => this.#loop.wake('host'),
      () => namedSandboxesOf(this.#view?.desired.endpoints ?? []),
    );
    this.#stops.push(() => watcher.close());
    this.#stops.push(this.#datapath.start());
    this.#stops.push(this.#directory.onChange(() => this.#peersChanged()));
    if (this.#brokerUrl === '') await this.#embedBroker();
    this.#stops.push(() => this.#session?.stop());
    this.#connect();
  }

  /** In reverse order of the start. What runs in the kernel goes on running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const stop of this.#stops.splice(0).toReversed()) await stop();
  }

  /** Whether the loop still turns; what the watchdog asks. */
  get turning(): boolean {
    return gatewayStatus(this.#parts()).health.ready;
  }

  async #embedBroker(): Promise<void> {
    // Loaded only where it is wanted: the broker costs 10 MB.
    const { startBroker } = await import('../control/broker.ts');
    const broker = await startBroker(this.#bootstrap.mqtt.embedded.listen);
    this.#stops.push(() => broker.close());
    this.#brokerUrl = broker.url;
  }

  #connect(): void {
    const { fleet, gateway, mqtt } = this.#bootstrap;
    const publisher = new Publisher({
      fleet,
      gateway,
      epoch: this.#epoch,
      clock: systemClock,
      onTruncated: (vni, kept, of) => {
        const message = `VNI ${vni}: only ${kept} of ${of} workloads fit into the record; frames to the others are flooded, and elsewhere their names do not resolve`;
        this.#event('record_truncated', 'warning', message);
      },
    });
    this.#session = new GatewaySession({
      fleet,
      gateway,
      mqtt: { ...mqtt, url: this.#brokerUrl },
      directory: this.#directory,
      publisher,
      clock: systemClock,
      onDesired: (payload) => void this.#documents.submit(payload),
      onEpochBehind: (epoch) => void this.#reconnect(epoch),
      onEvent: this.#event.bind(this),
    });
    if (this.#view) this.#session.setLocal(localState(this.#view, this.#bootstrap.underlay.port));
    this.#report();
    this.#session.start();
  }

  /** The fleet knows a later epoch of this gateway than its own state does (state lost): go beyond it. */
  async #reconnect(epoch: number): Promise<void> {
    await this.#session?.stop();
    if (this.#raised) await this.#yieldName();
    if (this.#stopped) return;
    this.#raised = true;
    this.#epoch = this.#raiseEpoch(epoch + 1);
    this.#event(
      'epoch.raised',
      'warning',
      `the fleet knew epoch ${epoch} of this gateway; going on with ${this.#epoch}`,
    );
    this.#connect();
  }

  /** A state is lost once at most; whoever is ahead of us again runs now, and two that chase each other reach nobody. */
  async #yieldName(): Promise<void> {
    const { gateway } = this.#bootstrap;
    const remedy = 'give each its own `gateway` in its bootstrap file; this one waits half a minute';
    this.#event('gateway.duplicate', 'error', `another gateway runs as ${gateway}; ${remedy}`);
    await sleep(YIELD_MS, undefined, { ref: false });
  }

  /** Where it cannot be stored, it holds for this run: the next start finds the fleet's epoch again. */
  #raiseEpoch(epoch: number): number {
    try {
      return this.#store.epoch.raiseEpoch(epoch);
    } catch (error) {
      const { path } = this.#bootstrap.state;
      this.#event('state.unwritable', 'error', `${path}: ${messageOf(error)}; free some space or mend the file`);
      return epoch;
    }
  }

  #commands(): Parameters<typeof writeRoutes>[0] {
    return createCommands({
      documents: this.#documents,
      attachments: this.#store.attachments,
      settled: () => this.#loop.settled(),
      endpoints: () => (this.#view ? endpointStatuses(this.#view) : []),
    });
  }

  #captureSource(): CaptureSource {
    return {
      port: this.#bootstrap.underlay.port,
      device: (name, outer) => {
        const attachment = this.#view?.intent.networks.get(name)?.attachment;
        if (attachment === undefined) return undefined;
        if (outer) return this.#view?.seen.underlay?.device;
        return attachment.type === 'macvlan' ? attachment.parent : attachment.bridge;
      },
    };
  }

  #dockerContext(): DockerContext {
    return {
      gateway: this.#bootstrap.gateway,
      records: this.#store.docker,
      document: () => this.#documents.desired,
      view: () => this.#view,
      remoteAddresses: (network) => remoteAddresses(network, this.#remotes()),
      settled: () => this.#loop.settled(),
      wake: () => this.#loop.wake('peers'),
      glance: () => this.#loop.wake('host'),
      lease: (endpoint, parent, signal) => this.#leases.acquire(endpoint, parent, signal),
      releaseLease: (key) => this.#leases.release(key),
      log: (message) => this.#log.warn(message),
    };
  }

  #remotes(): ReturnType<typeof remotesByVni> {
    const networks = [...this.#documents.desired.networks, ...wishesOf(this.#store.docker).networks];
    return remotesByVni(networks, this.#directory);
  }

  #input(): CycleInput {
    return {
      gateway: this.#bootstrap.gateway,
      underlay: this.#bootstrap.underlay,
      datapath: this.#bootstrap.datapath,
      document: this.#documents.desired,
      endpoints: this.#docker.placed(this.#documents.desired.endpoints),
      lost: this.#documents.lost,
      attachments: this.#docker.placed(this.#store.attachments.list()),
      docker: () => wishesOf(this.#store.docker),
      leases: this.#store.leases,
      plantLeases: this.#leases.leases,
      remotes: this.#remotes(),
      otherSandboxes: this.#store.endpoints.list().map((row) => row.sandbox),
    };
  }

  /** Names need no look at the host, so they do not wait for one. */
  #peersChanged(): void {
    if (this.#view) this.#names.update(this.#view, this.#remotes());
    this.#loop.wake('peers');
  }

  #cycled(cycle: CycleView): void {
    this.#directory.setOwnMacs(ownMacs(cycle));
    this.#addresses.update(wireInterfaces(cycle));
    const found = [
      ...wireProblems(cycle, this.#addresses.conflicts()),
      ...duplicateProblems(cycle, this.#directory),
      ...uplinkProblems(cycle),
      ...this.#leases.problems(cycle),
      ...this.#names.update(cycle, this.#remotes()),
    ];
    const view = { ...cycle, problems: new Map([...found, ...cycle.problems]) };
    this.#leases.sync(view, leaseKeys(this.#store.docker));
    for (const { type, level, message } of newFailures(this.#view?.problems, view.problems))
      this.#event(type, level, message);
    this.#view = view;
    // A cycle that a newer document interrupted says nothing about that document.
    if (view.complete && view.document === this.#documents.desired) {
      this.#documents.settled([...view.problems.values()]);
    }
    this.#session?.setLocal(localState(view, this.#bootstrap.underlay.port));
    this.#report();
  }

  #report(): void {
    const { config, networks, epoch } = gatewayStatus(this.#parts());
    this.#session?.reportedChanged(encodeReported(config, epoch, networks));
  }

  #event(type: string, level: 'info' | 'warning' | 'error', message: string): void {
    const event = this.#events.add(type, level, message);
    this.#log[level === 'warning' ? 'warn' : level](message);
    this.#session?.event(event);
  }

  #parts(): StatusParts {
    return {
      bootstrap: this.#bootstrap,
      version: this.#version,
      epoch: this.#epoch,
      uptimeMs: systemClock.monotonic() - this.#started,
      cycleAgeMs: this.#loop.age,
      broker: { connected: this.#session?.connected ?? false, url: this.#brokerUrl },
      config: this.#documents.status,
      view: this.#view,
      remotes: this.#remotes(),
      peers: this.#directory.peers(),
      datapath: this.#datapath.latest ?? this.#view?.seen.datapath,
    };
  }
}

/** The names in /run/netns whose coming and going matters. */
function namedSandboxesOf(endpoints: readonly Endpoint[]): ReadonlySet<string> {
  return new Set(endpoints.flatMap(({ sandbox }) => (sandbox.kind === 'netns' ? [sandbox.name] : [])));
}

function closing(listener: Listener): () => Promise<void> {
  return () => listener.close();
}
