import { clearDuplicate } from '../control/socket/clear-duplicate.ts';
import { localState } from '../control/views/local-state.ts';
import { Presence } from '../control/session/presence.ts';
import { encodeReported } from '../control/reported.ts';
import { hostAddresses } from '../control/probes/probe-targets.ts';
import { probePeers } from '../control/probes/probe-peers.ts';
import { rpcMethods } from '../control/rpc/methods.ts';
import { RpcServer } from '../control/rpc/server.ts';
import type { BrokerAccess } from '../control/session/session.ts';
import { NOT_READY } from '../firmware/health.ts';
import { firmwareProblem } from '../firmware/problem.ts';
import type { Firmware } from '../firmware/firmware.ts';
import { clockIsSynchronised } from '../host/clock-sync.ts';
import type { Problem } from '../model/problem.ts';
import type { EventSink, GatewayStatus } from '../model/status.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import { forgetGone } from '../reconcile/forget-gone.ts';
import { ReconcileLoop } from '../reconcile/loop.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import { systemClock } from '../service/clock.ts';
import type { Log } from '../service/log.ts';
import { EventRing } from '../status/events.ts';
import { newFailures } from '../status/failures.ts';
import { gatewayStatus } from '../status/gateway-status.ts';
import { cycleInput } from './cycle-input.ts';
import { createFirmware, firmwareControl } from './gateway-firmware.ts';
import { DockerPlugin } from './docker-plugin.ts';
import { GatewayState } from './gateway-state.ts';
import { HostWatch } from './host-watch.ts';
import { LocalApi } from './local-api.ts';
import { surroundingsOf } from './surroundings.ts';
import { Watchers } from './watchers.ts';

/** The service as a whole: built here, started in order, stopped in reverse. */
export class Gateway {
  readonly #version: string;
  readonly #started = systemClock.monotonic();
  readonly #events = new EventRing();
  readonly #state: GatewayState;
  readonly #watchers: Watchers;
  readonly #loop: ReconcileLoop;
  readonly #docker: DockerPlugin;
  readonly #host: HostWatch;
  readonly #presence: Presence;
  readonly #firmware: Firmware | undefined;
  #starting = true;
  readonly #stops: (() => Promise<void> | void)[] = [];

  constructor(bootstrap: Bootstrap, log: Log, version: string) {
    this.#version = version;
    this.#events.subscribe(({ level, message }) => log[level === 'warning' ? 'warn' : level](message));
    const event: EventSink = (...told) => void this.#events.add(...told);
    this.#state = new GatewayState(bootstrap, log, {
      event,
      onAccepted: () => this.#loop.wake('input'),
      onStatus: () => this.#presence.reportedChanged(),
      onBack: () => this.#presence.renew(),
      surroundings: surroundingsOf({
        broker: () => this.#presence.broker,
        brokerAddress: () => this.#presence.brokerAddress,
        peers: () => this.#state.directory.peers(),
        wifi: () => this.#watchers.wifi.statuses(),
      }),
      isOnBroker: () => this.#presence.broker.connected,
    });
    this.#watchers = new Watchers(this.#state, (what) => this.#loop.wake(what));
    this.#loop = this.#createLoop(log);
    this.#docker = new DockerPlugin(this.#state, { loop: this.#loop, leases: this.#watchers.leases, log });
    this.#host = new HostWatch(this.#state, () => this.#loop.wake('host'), event);
    this.#presence = this.#createPresence(event);
    this.#firmware = this.#createFirmware(event);
    this.#events.subscribe((told) => this.#presence.event(told));
  }

  /** Returns when the gateway stands as its stored document says and answers on its sockets; the broker may come later. */
  async start(): Promise<void> {
    const { bootstrap, store, directory, documents } = this.#state;
    this.#stops.push(() => this.#state.close());
    this.#stops.push(() => documents.stop());
    if (store.recovered !== null) {
      const message = `the state file was damaged; it is kept as ${store.recovered}; apply the document again`;
      this.#events.add('state.recovered', 'error', message);
    }
    if (store.restored !== null) {
      const message = `a newer version has changed the state, kept as ${store.restored}; this one goes on with its own`;
      this.#events.add('state.restored', 'warning', message);
    }
    this.#firmware?.start();
    this.#stops.push(() => this.#firmware?.stop());
    this.#stops.push(() => this.#watchers.stop());
    this.#stops.push(() => this.#loop.stop());
    await this.#comeUp();
    await this.#docker.start();
    this.#stops.push(() => this.#docker.stop());
    this.#stops.push(this.#host.start());
    this.#stops.push(directory.onChange(() => this.#watchers.peersChanged()));
    const { mqtt } = bootstrap;
    const access = mqtt.url === '' ? await this.#embedBroker(mqtt.embedded) : { url: mqtt.url };
    this.#stops.push(() => this.#presence.stop());
    this.#presence.start(access);
  }

  /** In reverse order of the start. What runs in the kernel goes on running. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).toReversed()) await stop();
  }

  /** Whether the loop still turns; what the watchdog asks. */
  get turning(): boolean {
    return this.#status().health.ready;
  }

  #createLoop(log: Log): ReconcileLoop {
    return new ReconcileLoop({
      input: () => cycleInput(this.#state, this.#docker, this.#watchers.leases.leases),
      endpoints: this.#state.store.endpoints,
      releaseLease: (key) => this.#watchers.leases.release(key),
      clock: systemClock,
      log,
      onCycle: (cycle) => this.#cycled(cycle),
    });
  }

  #createPresence(onEvent: EventSink): Presence {
    const { bootstrap, epoch, directory, documents, trust } = this.#state;
    const { fleet, gateway, mqtt, underlay } = bootstrap;
    const rpc = this.#createRpc(onEvent);
    return new Presence({
      fleet,
      gateway,
      mqtt,
      epoch,
      directory,
      trust,
      clock: systemClock,
      local: () => this.#state.view && localState(this.#state.view, underlay.port, this.#state.devices),
      reported: () => this.#reported(),
      onDesired: (payload) => void documents.submit(payload, 'mqtt'),
      onRequest: (...request) => rpc.take(...request),
      onEvent,
      clockIsRight: clockIsSynchronised,
    });
  }

  #createRpc(onEvent: EventSink): RpcServer {
    const { documents, devices, trust } = this.#state;
    const settled = (): Promise<void> => this.#loop.settled();
    const methods = rpcMethods({
      peers: () => this.#status().peers,
      fdb: () => this.#state.fdb(),
      patch: (ifVersion, patch) => documents.patch(ifVersion, patch),
      confirm: (version) => documents.confirm(version),
      rollback: (...versions) => documents.rollbackFrom(...versions),
      probe: (gateway) => probePeers(gateway, this.#state.probeSource),
      clear: ({ network, mac }) => clearDuplicate(network, mac, { documents, devices, settled }),
      activate: (version) => firmwareControl(this.#firmware).activate(version),
    });
    const signed = trust.status.policy === 'require';
    const memory = this.#state.store.changes;
    return new RpcServer({ methods, memory, clock: systemClock, clockIsRight: clockIsSynchronised, signed, onEvent });
  }

  #createFirmware(event: EventSink): Firmware | undefined {
    const { bootstrap, store, documents, directory } = this.#state;
    return createFirmware(bootstrap.state.path, store, this.#version, {
      event,
      vitals: () => ({ ready: this.#ready, broker: this.#presence.broker.connected, peers: directory.peers() }),
      calm: () => documents.status.candidate === null,
      onChange: () => {
        this.#presence.reportedChanged();
        if (this.#firmwareProblem?.message !== this.#state.view?.problems.get('firmware')?.message)
          this.#loop.wake('peers');
      },
    });
  }

  /** Whether a whole look at the host has ended. */
  get #ready(): boolean {
    return this.#state.view?.complete === true;
  }

  get #firmwareProblem(): Problem | undefined {
    return firmwareProblem(this.#state.documents.desired.firmware, this.#firmware?.status ?? null);
  }

  /** The page is there before the first cycle; on an address that this cycle makes, such as a bridge's, after it. */
  async #comeUp(): Promise<void> {
    const api = this.#createApi();
    const early = await api.show().catch(() => undefined);
    this.#stops.push(() => early?.close());
    await this.#loop.settled();
    this.#starting = false;
    const late = early === undefined ? await api.show() : undefined;
    this.#stops.push(() => late?.close());
    const control = await api.takeCommands();
    this.#stops.push(() => control.close());
  }

  #createApi(): LocalApi {
    return new LocalApi(this.#state, {
      events: this.#events,
      status: () => this.#status(),
      firmwareWaitsFor: () => this.#firmware?.waitingFor ?? (this.#ready ? [] : [NOT_READY]),
      firmware: firmwareControl(this.#firmware),
      settled: () => this.#loop.settled(),
    });
  }

  async #embedBroker({ listen, ...files }: Bootstrap['mqtt']['embedded']): Promise<Pick<BrokerAccess, 'url' | 'open'>> {
    // Loaded only where it is wanted: the broker costs 10 MB.
    const { startBroker } = await import('../control/broker.ts');
    const broker = await startBroker(listen, files);
    this.#stops.push(() => broker.close());
    // its certificate is for the name that the others know it by
    return files.cert === '' ? { url: broker.url } : broker;
  }

  #cycled(cycle: CycleView): void {
    const { documents, view: before } = this.#state;
    const seen = this.#watchers.update(cycle);
    const problem = this.#firmwareProblem;
    const view = problem ? { ...seen, problems: new Map([...seen.problems, ['firmware', problem]]) } : seen;
    for (const { type, level, message } of newFailures(before?.problems, view.problems)) {
      this.#events.add(type, level, message);
    }
    this.#state.view = view;
    // the peers first: what follows writes to a disk that may be full
    this.#presence.hostHas(hostAddresses(view));
    this.#presence.localChanged();
    // A cycle that a newer document interrupted says nothing about that document.
    if (view.complete && view.document === documents.desired) documents.settled([...view.problems.values()]);
    this.#firmware?.want(documents.desired.firmware);
    this.#presence.reportedChanged();
    if (view.complete) forgetGone(view, this.#state.store.endpoints);
  }

  #reported(): Buffer {
    return encodeReported(this.#status());
  }

  #status(): GatewayStatus {
    const { bootstrap, epoch, documents, directory, trust, view } = this.#state;
    return gatewayStatus({
      bootstrap,
      version: this.#version,
      epoch: epoch.current ?? null,
      uptimeMs: systemClock.monotonic() - this.#started,
      starting: this.#starting && view === undefined,
      cycleAgeMs: this.#loop.age,
      broker: this.#presence.broker,
      config: documents.status,
      firmware: this.#firmware?.status ?? null,
      view,
      remotes: this.#state.remotes(),
      wifi: this.#watchers.wifi.statuses(),
      trust: trust.status,
      peers: trust.marked(directory.peers()),
      datapath: this.#host.datapath,
      guards: this.#host.guardDrops,
      suppressed: this.#host.suppressed,
    });
  }
}
