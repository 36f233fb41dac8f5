import { fileURLToPath } from 'node:url';
import { deviceProblems, sightings } from '../control/views/devices.ts';
import { loopProblems, turned, watchedLoops } from '../control/views/loops.ts';
import { announceAll, Reminder } from '../reconcile/reminder.ts';
import { duplicateProblems, ownMacs } from '../control/views/local-state.ts';
import { onWifi } from '../control/views/on-wifi.ts';
import { probeTargets } from '../control/probes/probe-targets.ts';
import { tunnelTargets } from '../control/probes/tunnel-targets.ts';
import { subnetProblems } from '../control/views/subnets.ts';
import { wireInterfaces, wireProblems } from '../control/views/wire-conflicts.ts';
import { leaseKeys } from '../docker/records.ts';
import { probeAddresses } from '../host/address-probe.ts';
import { AddressWatch } from '../host/address-watch.ts';
import { DhcpClients } from '../host/dhcp-clients.ts';
import { LoopWatch } from '../host/loop-watch.ts';
import { wifiHost } from '../host/wifi/station.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import { LeaseKeeper } from '../reconcile/lease-keeper.ts';
import { WifiJoiner } from '../reconcile/wifi-joiner.ts';
import type { ReconcileLoop } from '../reconcile/loop.ts';
import { systemClock } from '../service/clock.ts';
import { uplinkProblems } from '../status/uplinks.ts';
import { GatewayNames } from './gateway-names.ts';
import type { GatewayState } from './gateway-state.ts';

/** Beside the programs, in the sources as in the package. */
const DHCP_HOOK = fileURLToPath(new URL('../host/udhcpc-hook', import.meta.url));

/**
 * Those who know what no look at the kernel shows: what the plant's DHCP server gave, who else on the wire or in the
 * fleet has a workload's address, whether a network comes back to itself, which workloads have no names. They are told of every cycle, and wake the loop when
 * they have news.
 */
export class Watchers {
  readonly leases: LeaseKeeper;
  readonly wifi: WifiJoiner;
  readonly #state: GatewayState;
  readonly #wake: ReconcileLoop['wake'];
  readonly #addresses: AddressWatch;
  readonly #names: GatewayNames;
  readonly #loops: LoopWatch;
  readonly #reminder = new Reminder();

  constructor(state: GatewayState, wake: ReconcileLoop['wake']) {
    const { gateway, names } = state.bootstrap;
    const clients = new DhcpClients({ hook: DHCP_HOOK, store: state.store.dhcpLeases });
    const onChange = (): void => wake('peers');
    this.#state = state;
    this.#wake = wake;
    this.leases = new LeaseKeeper({ gateway, clients, clock: systemClock, onChange });
    this.wifi = new WifiJoiner({ host: wifiHost(), clock: systemClock, onChange });
    this.#names = new GatewayNames(names.resolvConf, () => wake('host'));
    this.#loops = new LoopWatch(() => wake('host'));
    this.#addresses = new AddressWatch({ probe: probeAddresses, clock: systemClock, onChange });
  }

  /** Tells them what a cycle saw; returns that with what they find wrong. On one object, the cycle has the last word. */
  update(cycle: CycleView): CycleView {
    const { directory, devices, store, probeKeys } = this.#state;
    devices.update(sightings(cycle, (vni) => directory.remotes(vni)));
    directory.setOwnMacs(ownMacs(cycle, devices));
    this.#addresses.update(wireInterfaces(cycle));
    this.wifi.sync(cycle.document.uplinks);
    this.#loops.sync(watchedLoops(cycle));
    if (probeKeys.renew(cycle.seen.guards.cut.size > 0)) this.#wake('peers');
    const found = [
      ...wireProblems(cycle, this.#addresses.conflicts()),
      ...duplicateProblems(cycle, directory),
      ...deviceProblems(cycle, devices.unclaimed),
      ...loopProblems(cycle, (table) => this.#loops.others(table)),
      ...uplinkProblems(cycle),
      ...subnetProblems(cycle, this.#state.remotes()),
      ...this.wifi.problems(),
      ...this.leases.problems(cycle),
      ...this.#names.update(cycle, this.#state.remotes()),
    ];
    const view = { ...cycle, problems: new Map([...found, ...cycle.problems]) };
    this.#reminder.update(onWifi(view));
    announceAll(turned(this.#state.view, view));
    this.leases.sync(view, leaseKeys(store.docker));
    this.#probe(view);
    return view;
  }

  /** Names need no look at the host, so they do not wait for one. */
  peersChanged(): void {
    const { view } = this.#state;
    if (view) this.#names.update(view, this.#state.remotes());
    if (view) this.#probe(view);
    this.#wake('peers');
  }

  async stop(): Promise<void> {
    this.#state.probes.stop();
    this.#addresses.stop();
    this.wifi.stop();
    this.#loops.stop();
    this.#reminder.stop();
    await this.#names.close();
    await this.leases.stop();
  }

  #probe(view: CycleView): void {
    const remotes = this.#state.remotes();
    const { from, ips } = probeTargets(view, remotes);
    this.#state.probes.follow(from, ips, tunnelTargets(view, remotes, ips));
  }
}
