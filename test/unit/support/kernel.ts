import { totals } from '../../../src/datapath/counters.ts';
import { canonicalState, type DatapathState } from '../../../src/datapath/state.ts';
import type { DatapathStatus } from '../../../src/datapath/status.ts';
import type { ChildAttachment } from '../../../src/drivers/attachment.ts';
import type { EndpointSpec, LinkSpec } from '../../../src/drivers/driver.ts';
import { memoOf } from '../../../src/drivers/driver.ts';
import { withMemo } from '../../../src/drivers/naming.ts';
import type { FdbRow } from '../../../src/host/fdb.ts';
import type { ObservedLink } from '../../../src/host/links.ts';
import type { ObservedDockers } from '../../../src/host/docker-user.ts';
import type { FirewallFamily } from '../../../src/host/firewall.ts';
import type { Listener } from '../../../src/host/listeners.ts';
import type { HostRoute } from '../../../src/host/routes.ts';
import type { ObservedSandbox } from '../../../src/host/sandbox.ts';
import { formatIpPrefix } from '../../../src/model/ip.ts';
import type { Mac } from '../../../src/model/mac.ts';
import { sandboxPath } from '../../../src/model/network.ts';
import type { Vni } from '../../../src/model/vni.ts';
import type { Observation } from '../../../src/reconcile/observe.ts';
import type { FirewallMemory, Step } from '../../../src/reconcile/plan.ts';
import type { Adjustment } from '../../../src/reconcile/plan-links.ts';
import { Bridges, refuseToJoin } from './bridges.ts';
import { GuardTables } from './guard-tables.ts';
import { adjusted, dataOf, refuseVlan, sameVxlan, switchAll } from './link-data.ts';
import { NeighbourTables } from './neighbour-tables.ts';
import { tableOf } from './nft-table.ts';

/** A link as the kernel would show it. */
export function link(name: string, index: number, over: Partial<ObservedLink> = {}): ObservedLink {
  const common = { mac: '02:ff:00:00:00:01', mtu: 1500, up: true, ours: false, alias: '', kind: '', addresses: [] };
  return { ...common, index, name, parent: undefined, master: undefined, data: {}, ...over };
}

export const UNDERLAY = { address: '192.0.2.1', device: 'eth0', index: 2, mtu: 1500, joins: true };

/**
 * A host as far as a plan can change it. Steps change it as the executors change the kernel, and what the kernel
 * refuses (a name that exists, a parent that does not, a port that is taken) is an error here.
 */
export class Kernel {
  memory: FirewallMemory = {};
  links: readonly ObservedLink[];
  /** of the routed packets' rules as somebody else left them */
  fingerprint: string | undefined;
  /** the host as a whole, either family; and what forwards where it does not */
  forwards = false;
  forwards6 = false;
  #forwarding = { 4: new Set<string>(), 6: new Set<string>() };
  #localnet = new Set<string>();
  listeners: readonly Listener[] = [];
  dockers: ObservedDockers = { 4: undefined, 6: undefined };
  underlay: Observation['underlay'] = UNDERLAY;
  vxlan = true;
  readonly guards = new GuardTables();
  readonly neighbours = new NeighbourTables();
  /** `datapath.engine` of the bootstrap file */
  preferred: 'auto' | 'kernel' | 'user' = 'auto';
  /** whether linkspan-datapath answers; what it was told holds while it does not */
  datapathRuns = true;
  /** what the datapath says of narrow ways */
  paths: DatapathStatus['paths'] = [];
  told: DatapathState | undefined;
  /** of the datapath's TAPs */
  trouble: string | null = null;
  #fdb = new Map<string, readonly FdbRow[]>();
  readonly bridges = new Bridges();
  /** MACs of devices that this gateway has published */
  devices: ReadonlyMap<Vni, readonly Mac[]> = new Map();
  #routes: readonly HostRoute[] = [];
  #sandboxes: Map<string, ObservedSandbox>;
  #next = 100;

  constructor(links: readonly ObservedLink[], sandboxes: Readonly<Record<string, readonly ObservedLink[]>>) {
    this.links = links;
    const named = Object.entries(sandboxes).map(([name, held], n) => [name, { inode: 9000 + n, links: held }] as const);
    this.#sandboxes = new Map(named);
  }

  observe(): Observation {
    const { links, underlay, memory, dockers, listeners } = this;
    const there = (names: ReadonlySet<string>): ReadonlySet<string> =>
      new Set(links.flatMap(({ name }) => (names.has(name) ? [name] : [])));
    const forwarding = {
      4: { host: this.forwards, devices: there(this.#forwarding[4]) },
      6: { host: this.forwards6, devices: there(this.#forwarding[6]) },
      localnet: there(this.#localnet),
    };
    const firewall = {
      ...(memory.inet && { inet: tableOf(memory.inet.body, this.fingerprint ?? memory.inet.fingerprint) }),
      ...(memory.bridge && { bridge: tableOf(memory.bridge.body, memory.bridge.fingerprint) }),
    };
    const sandboxes = new Map(this.#sandboxes);
    const tables = {
      fdb: new Map(this.#fdb),
      bridges: this.bridges.tables(links),
      routes: this.#routes,
      firewall,
      guards: this.guards.observe(),
      ...this.neighbours.observe(links),
      dockers,
      listeners,
      forwarding,
    };
    return { links, ...tables, underlay, vxlan: this.vxlan, datapath: this.#datapath(), sandboxes };
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) this.#run(step);
  }

  #datapath(): DatapathStatus | undefined {
    if (!this.datapathRuns) return undefined;
    const { told, trouble: problem } = this;
    const networks = (told?.networks ?? []).map(({ vni, tap }) => ({
      vni,
      tap,
      ok: true,
      offload: 'tso+uso',
      problem,
    }));
    const common = { v: 1, version: '0.1.0', pid: 1, uptime_s: 9, rss_bytes: 60e6 } as const;
    const threads = { workers: 'two', batching: 'io_uring' } as const;
    const underlay = { ok: true, problem: null, gro: true };
    return {
      ...common,
      ...threads,
      state: told ? canonicalState(told) : null,
      underlay,
      networks,
      paths: this.paths,
      counters: totals([]),
    };
  }

  /** Somebody else changes a link. */
  tamper(sandbox: string | undefined, name: string, over: Partial<ObservedLink>): void {
    const links = sandbox === undefined ? this.links : this.#in(sandbox);
    const changed = links.map((other) => (other.name === name ? Object.assign({}, other, over) : other));
    if (sandbox === undefined) this.links = changed;
    else this.#put(sandbox, changed);
  }

  /** What a namespace holds from now on. */
  put(sandbox: string, links: readonly ObservedLink[], inode: number): void {
    this.#sandboxes.set(sandbox, { inode, links });
  }

  /** Another path of a namespace. */
  alsoKnownAs(path: string, other: string): void {
    const sandbox = this.#sandboxes.get(path);
    if (sandbox !== undefined) this.#sandboxes.set(other, sandbox);
  }

  #run(step: Step): void {
    if (step.kind.startsWith('link.') || step.kind.startsWith('endpoint.')) this.#runLink(step);
    else if (step.kind === 'datapath.set') this.#setDatapath(step.state);
    else if (step.kind === 'fdb.sync') this.#syncFdb(step);
    else if (step.kind === 'bridge.sync') this.bridges.sync(step, this.links);
    else if (step.kind === 'routes.sync') this.#syncRoutes(step);
    else if (step.kind === 'forwarding.set') switchAll(this.#forwarding[step.family], step.devices, step.on);
    else if (step.kind === 'localnet.set') this.#setLocalnet(step.devices, step.on);
    else if (step.kind === 'docker.sync') this.#syncDocker(step);
    else if (step.kind === 'firewall.apply') this.#applyFirewall(step.family, step.body);
    else if (step.kind === 'guards.apply') this.memory = this.guards.apply(step, this.links, this.memory);
    else this.neighbours.run(step, this.links);
  }

  #runLink(step: Step): void {
    const at = (sandbox?: string): readonly ObservedLink[] => (sandbox === undefined ? this.links : this.#in(sandbox));
    if (step.kind === 'link.create') this.#create(step.link);
    else if (step.kind === 'link.delete') this.#delete(at(step.sandbox).find(({ name }) => name === step.name));
    else if (step.kind === 'endpoint.detach')
      this.#delete(this.#in(step.sandbox).find(({ name }) => name === step.name));
    else if (step.kind === 'endpoint.attach') this.#attach(step.spec);
    else if (step.kind === 'endpoint.move') this.#move(step);
    else if (step.kind === 'link.down') this.tamper(undefined, step.name, { up: false });
    else if (step.kind === 'link.adjust') this.#adjust(step.sandbox, step.name, step.changes);
  }

  #setLocalnet(devices: readonly string[], on: boolean): void {
    for (const device of devices) this.#find(this.links, device);
    switchAll(this.#localnet, devices, on);
  }

  #applyFirewall(family: FirewallFamily, body: string): void {
    const { [family]: _, ...others } = this.memory;
    this.memory = body === '' ? others : { ...others, [family]: { body, fingerprint: `listing of ${body}` } };
  }

  #syncDocker({ family, add, remove }: Extract<Step, { kind: 'docker.sync' }>): void {
    const docker = this.dockers[family];
    if (docker === undefined) throw new Error('iptables: No chain/target/match by that name.');
    const rules = [...docker.rules.filter((rule) => !remove.includes(rule)), ...add];
    this.dockers = { ...this.dockers, [family]: { ...docker, rules } };
  }

  #in(sandbox: string): readonly ObservedLink[] {
    return this.#sandboxes.get(sandbox)?.links ?? [];
  }

  #put(sandbox: string, links: readonly ObservedLink[]): void {
    this.#sandboxes.set(sandbox, { inode: this.#sandboxes.get(sandbox)?.inode ?? 0, links });
  }

  #find(links: readonly ObservedLink[], name: string): ObservedLink {
    const found = links.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`Cannot find device "${name}"`);
    return found;
  }

  #fresh(links: readonly ObservedLink[], name: string): void {
    if (name.length === 0 || name.length > 15 || /[\s/:]/.test(name)) throw new Error(`not a valid ifname: ${name}`);
    if (links.some((candidate) => candidate.name === name)) throw new Error(`File exists: ${name}`);
  }

  #everywhere(): readonly ObservedLink[] {
    return [...this.links, ...[...this.#sandboxes.values()].flatMap((sandbox) => sandbox.links)];
  }

  #create(spec: LinkSpec): void {
    this.#fresh(this.links, spec.name);
    const parent = this.#parentOf(spec);
    const data = dataOf(spec.kind, this.links);
    const same = this.links.find(({ kind, data: other }) => kind === 'vxlan' && sameVxlan(other, data));
    if (spec.kind.type === 'vxlan' && same !== undefined)
      throw new Error(`A VXLAN device with the VNI exists: ${same.name}`);
    if (spec.kind.type === 'vxlan' && this.told?.networks.length && this.told.vtep.port === spec.kind.port)
      throw new Error(`Address already in use: ${spec.name}`);
    const { name, alias, mtu, addresses } = spec;
    const gro = spec.kind.type === 'vxlan' ? { gro: spec.kind.gro } : {};
    const kind = spec.kind.type === 'tap' ? 'tun' : spec.kind.type;
    const own = spec.kind.type === 'bridge' ? { mac: spec.kind.mac } : {};
    const common = { alias, mtu, addresses, ours: true, kind, parent, data, ...gro, ...own };
    this.#add(link(name, (this.#next += 1), common));
    const group = spec.kind.type === 'vxlan' ? spec.kind.multicast?.group : undefined;
    if (group !== undefined) this.#fdb.set(name, [{ mac: '00:00:00:00:00:00', ip: group, port: undefined }]);
  }

  #add(...links: readonly ObservedLink[]): void {
    this.links = [...this.links, ...links];
  }

  #parentOf({ kind, mtu }: LinkSpec): number | undefined {
    if (kind.type === 'vlan') {
      const parent = this.#find(this.links, kind.parent);
      refuseVlan(kind, mtu, parent, this.links);
      return parent.index;
    }
    return kind.type === 'macvlan' || kind.type === 'ipvlan' ? this.#parentFor(kind) : undefined;
  }

  /** A parent carries one driver's children, and ipvlan's have one mode: a new one's becomes all others'. */
  #parentFor({ type, parent: name, mode }: ChildAttachment): number {
    const { index, master } = this.#find(this.links, name);
    const children = this.#everywhere().filter(
      (child) => ['macvlan', 'ipvlan'].includes(child.kind) && child.parent === index,
    );
    const busy = master !== undefined || children.some((child) => child.kind !== type);
    if (busy) throw new Error(`Device or resource busy: ${name}`);
    if (type === 'ipvlan') this.#setMode(index, mode);
    const alone = mode === 'passthru' || children.some((child) => child.data['mode'] === 'passthru');
    if (alone && children.length > 0) throw new Error(`Device or resource busy: ${name}`);
    return index;
  }

  #setMode(parent: number, mode: string): void {
    const changed = (child: ObservedLink): ObservedLink =>
      child.kind === 'ipvlan' && child.parent === parent ? { ...child, data: { mode } } : child;
    this.links = this.links.map((child) => changed(child));
    for (const [path, { links }] of this.#sandboxes)
      this.#put(
        path,
        links.map((child) => changed(child)),
      );
  }

  /** With a link go its children, a veth's other end, and its entries in the tables; it may be gone itself. */
  #delete(gone: ObservedLink | undefined): void {
    if (gone === undefined) return;
    if (!gone.ours) throw new Error(`${gone.name} is not Linkspan's`);
    if (this.datapathRuns && this.told?.networks.some(({ tap }) => tap === gone.name))
      throw new Error(`${gone.name} is in use by the datapath`);
    const all = this.#everywhere();
    const reached = (index: number): readonly number[] => [
      index,
      ...all
        .filter((other) => other.kind !== 'veth' && other.parent === index)
        .flatMap((other) => reached(other.index)),
    ];
    const dead = new Set(reached(gone.index));
    const stays = (other: ObservedLink): boolean =>
      !dead.has(other.index) && !(gone.kind === 'veth' && (other.index === gone.parent || other.parent === gone.index));
    this.links = this.links.filter(stays);
    for (const [path, { links }] of this.#sandboxes) this.#put(path, links.filter(stays));
    const names = new Set(this.links.map((other) => other.name));
    for (const device of this.#fdb.keys()) if (!names.has(device)) this.#fdb.delete(device);
    this.#routes = this.#routes.filter((route) => names.has(route.device));
  }

  #attach(spec: EndpointSpec): void {
    const { attachment, endpoint, mtu } = spec;
    const path = sandboxPath(endpoint.sandbox);
    this.#fresh(this.#in(path), endpoint.interface);
    this.#fresh(this.links, spec.temporary);
    const [index, hostIndex] = [(this.#next += 1), (this.#next += 1)];
    const own = {
      alias: withMemo(spec.alias, memoOf(spec)),
      mac: spec.mac ?? '02:ff:00:00:00:02',
      addresses: endpoint.addresses.map((address) => formatIpPrefix(address)),
      mtu,
      ours: true,
      kind: attachment.type,
    };
    if (attachment.type !== 'veth') {
      const parent = this.#parentFor(attachment);
      const data = { mode: attachment.mode };
      this.#put(path, [...this.#in(path), link(endpoint.interface, index, { ...own, parent, data })]);
      return;
    }
    this.#fresh(this.links, spec.hostEnd);
    const master = this.#find(this.links, attachment.bridge).name;
    this.#add(
      link(spec.hostEnd, hostIndex, {
        alias: spec.alias,
        ours: true,
        kind: 'veth',
        parent: index,
        master,
        mtu,
        port: spec.port,
      }),
    );
    this.#put(path, [...this.#in(path), link(endpoint.interface, index, { ...own, parent: hostIndex })]);
  }

  /** The interface anew on another parent, with all that stood on the old one. */
  #move({ spec, to, from }: Extract<Step, { kind: 'endpoint.move' }>): void {
    const path = sandboxPath(spec.endpoint.sandbox);
    const before = this.#find(this.#in(path), spec.endpoint.interface);
    if (!before.ours) throw new Error(`${before.name} is not Linkspan's`);
    if (this.links.find(({ index }) => index === before.parent)?.name !== from) throw new Error(`not on ${from ?? ''}`);
    this.#fresh(this.links, spec.temporary);
    const parent = this.#parentFor(to);
    const mac = spec.mac ?? before.mac;
    const after = { ...before, index: (this.#next += 1), parent, mtu: spec.mtu, mac, data: { mode: to.mode } };
    this.#put(path, [...this.#in(path).filter((other) => other !== before), after]);
  }

  #setDatapath(state: DatapathState): void {
    if (!this.datapathRuns) throw new Error('connect ECONNREFUSED');
    for (const { tap } of state.networks) {
      if (this.#find(this.links, tap).kind !== 'tun') throw new Error(`${tap} is no TAP`);
    }
    const { port } = state.vtep;
    const holder = this.links.find(({ kind, data, up }) => kind === 'vxlan' && up && data['port'] === port);
    if (state.networks.length > 0 && holder !== undefined) throw new Error(`EADDRINUSE: ${holder.name} has the port`);
    this.told = state;
  }

  /** A vxlan device that comes up binds the port. */
  #bindsPort({ name, kind }: ObservedLink): void {
    if (kind === 'vxlan' && this.told?.networks.length) throw new Error(`Address already in use: ${name}`);
  }

  #adjust(sandbox: string | undefined, name: string, changes: Adjustment): void {
    const links = sandbox === undefined ? this.links : this.#in(sandbox);
    const before = this.#find(links, name);
    // Of an interface that is not ours nothing changes but whether it is a port of a bridge of ours.
    if (!before.ours && changes.master === undefined && changes.learns === undefined)
      throw new Error(`${name} is not Linkspan's`);
    if (typeof changes.master === 'string')
      refuseToJoin(before, this.#find(this.links, changes.master), this.#everywhere());
    if (changes.up) this.#bindsPort(before);
    const after = adjusted(before, changes);
    const all = links.map((other) => (other === before ? after : other));
    if (sandbox === undefined) this.links = all;
    else this.#put(sandbox, all);
  }

  #syncFdb(step: Extract<Step, { kind: 'fdb.sync' }>): void {
    if (!this.#find(this.links, step.device).ours) throw new Error(`${step.device} is not Linkspan's`);
    const removed = new Set(step.remove);
    this.#fdb.set(step.device, [...(this.#fdb.get(step.device) ?? []).filter((row) => !removed.has(row)), ...step.add]);
  }

  #syncRoutes(step: Extract<Step, { kind: 'routes.sync' }>): void {
    for (const { device } of [...step.add, ...step.remove]) {
      if (!this.#find(this.links, device).ours) throw new Error(`${device} is not Linkspan's`);
    }
    const removed = new Set(step.remove);
    this.#routes = [...this.#routes.filter((route) => !removed.has(route)), ...step.add];
  }
}
