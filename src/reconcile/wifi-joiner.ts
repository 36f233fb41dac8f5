import type { WifiHost } from '../host/wifi/station.ts';
import type { Uplink, WifiNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import type { WifiStatus } from '../model/status.ts';
import type { Clock } from '../service/clock.ts';
import { messageOf } from '../service/errors.ts';
import { Backoff } from './backoff.ts';
import { failed, NEW_WIFI, seen, type Wifi, wifiProblem } from './wifi-state.ts';

/** Between two looks: each is a process or two. */
const LOOK_MS = { soon: 1000, joined: 10_000, else: 4000 };
/** Both start with the gateway, and NetworkManager is the slower one. */
const STARTING_MS = 60_000;

export type WifiJoinerOptions = {
  readonly host: WifiHost;
  readonly clock: Clock;
  /** a state or a problem is news; a signal is not */
  readonly onChange: () => void;
};

type WifiUplink = Uplink & { readonly wifi: WifiNetwork };

type Station = {
  readonly uplink: WifiUplink;
  /** when it was first looked at, in monotonic milliseconds */
  readonly began: number;
  /** whether NetworkManager has ever said anything of it */
  answered: boolean;
  wifi: Wifi;
  /** of the key that was tried last */
  stamp: string | undefined;
  timer: NodeJS.Timeout | undefined;
  gone: boolean;
};

/**
 * Has each uplink with an SSID join its network, and join it again. What is joined already is left alone, and so is an
 * uplink that the document names no more. Roaming between access points of one SSID is the supplicant's.
 */
export class WifiJoiner {
  readonly #options: WifiJoinerOptions;
  readonly #backoff: Backoff;
  /** by interface */
  readonly #stations = new Map<string, Station>();

  constructor(options: WifiJoinerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock);
  }

  /** After each cycle: all uplinks of the document. */
  sync(uplinks: readonly Uplink[]): void {
    const wanted = new Map(uplinks.filter(isWifi).map((uplink) => [uplink.interface, uplink]));
    for (const [device, station] of this.#stations) {
      if (!isSame(station.uplink, wanted.get(device))) this.#drop(device, station);
    }
    this.#backoff.retain(new Set(wanted.keys()));
    for (const [device, uplink] of wanted) if (!this.#stations.has(device)) this.#add(device, uplink);
  }

  /** By interface. */
  statuses(): ReadonlyMap<string, WifiStatus> {
    return new Map(
      [...this.#stations].map(([device, { uplink, wifi }]) => [
        device,
        {
          ssid: uplink.wifi.ssid,
          state: wifi.state,
          signal_percent: wifi.signal ?? null,
          heard: wifi.heard ?? [],
          problem: problemOf(uplink, wifi)?.message ?? null,
        },
      ]),
    );
  }

  /** What is to be told of uplinks, by object. */
  problems(): ReadonlyMap<string, Problem> {
    return new Map(
      [...this.#stations].flatMap(([device, { uplink, wifi }]) => {
        const problem = problemOf(uplink, wifi);
        return problem === undefined ? [] : [[`uplink/${device}`, problem] as const];
      }),
    );
  }

  stop(): void {
    this.sync([]);
  }

  #add(device: string, uplink: WifiUplink): void {
    const began = this.#options.clock.monotonic();
    const station: Station = {
      uplink,
      began,
      answered: false,
      wifi: NEW_WIFI,
      stamp: undefined,
      timer: undefined,
      gone: false,
    };
    this.#stations.set(device, station);
    void this.#turn(station);
  }

  #drop(device: string, station: Station): void {
    station.gone = true;
    clearTimeout(station.timer);
    this.#stations.delete(device);
    this.#backoff.retain(new Set(this.#stations.keys()));
  }

  /** Looks, does what is due, and comes back later. */
  async #turn(station: Station): Promise<void> {
    try {
      await this.#look(station);
    } catch (error) {
      this.#failed(station, error);
    }
    if (station.gone) return;
    station.timer = setTimeout(() => void this.#turn(station), pauseOf(station.wifi)).unref();
  }

  async #look(station: Station): Promise<void> {
    const { host, clock } = this.#options;
    const { interface: device, wifi: network } = station.uplink;
    const look = await host.look(device);
    station.answered = true;
    const { wifi, step } = seen(station.wifi, look, network.ssid, clock.monotonic());
    this.#set(station, wifi);
    if (step === 'leave' || step === 'rest') this.#backoff.failed(device, wifi.why ?? '');
    if (step === 'leave') await host.leave(device);
    if (step === 'join' && (await this.#isDue(station))) await this.#join(station);
  }

  async #join(station: Station): Promise<void> {
    const { host, clock } = this.#options;
    const { interface: device, wifi: network } = station.uplink;
    await host.join(device, network);
    // Until the next look says how it ended.
    this.#set(station, { ...station.wifi, since: clock.monotonic() });
  }

  /** A key that has changed is tried at once. */
  async #isDue(station: Station): Promise<boolean> {
    const { interface: device, wifi } = station.uplink;
    const stamp = wifi.pskFile === undefined ? undefined : await this.#options.host.keyStamp(wifi.pskFile);
    const due = stamp !== station.stamp || this.#backoff.isDue(device);
    station.stamp = stamp;
    return due && !station.gone;
  }

  #failed(station: Station, error: unknown): void {
    const why = messageOf(error);
    if (!station.answered && this.#options.clock.monotonic() - station.began < STARTING_MS)
      return this.#set(station, { ...station.wifi, why });
    this.#backoff.failed(station.uplink.interface, why);
    this.#set(station, failed(station.wifi, why));
  }

  #set(station: Station, wifi: Wifi): void {
    const before = problemOf(station.uplink, station.wifi)?.message;
    station.wifi = wifi;
    if (wifi.state === 'joined') this.#backoff.retain(this.#others(station));
    if (!station.gone && problemOf(station.uplink, wifi)?.message !== before) this.#options.onChange();
  }

  #others({ uplink }: Station): ReadonlySet<string> {
    return new Set([...this.#stations.keys()].filter((device) => device !== uplink.interface));
  }
}

function pauseOf({ state, since }: Wifi): number {
  if (since !== undefined || state === 'joining') return LOOK_MS.soon;
  return state === 'joined' ? LOOK_MS.joined : LOOK_MS.else;
}

function isWifi(uplink: Uplink): uplink is WifiUplink {
  return uplink.wifi !== undefined;
}

function isSame({ name, wifi }: WifiUplink, other: WifiUplink | undefined): boolean {
  return other?.name === name && other.wifi.ssid === wifi.ssid && other.wifi.pskFile === wifi.pskFile;
}

function problemOf({ name, interface: device, wifi: { ssid } }: WifiUplink, wifi: Wifi): Problem | undefined {
  return wifiProblem(name, device, ssid, wifi);
}
