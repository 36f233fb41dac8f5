import type { openEchoSocket } from '../../host/echo-socket.ts';
import type { openTunnelSocket } from '../../host/tunnel-socket.ts';
import type { EventSink } from '../../model/status.ts';
import type { Probed, Probes } from '../../peers/liveness/probed.ts';
import type { PulseState } from '../../peers/liveness/pulse.ts';
import { together } from '../../peers/liveness/verdict.ts';
import type { Clock } from '../../service/clock.ts';
import { PeerProbes, type ProbeFrom } from './peer-probes.ts';
import type { TunnelTarget } from './tunnel-echoes.ts';
import { TunnelProbes } from './tunnel-probes.ts';

export type WayProbesOptions = {
  readonly clock: Clock;
  readonly openEcho: typeof openEchoSocket;
  readonly openTunnel: typeof openTunnelSocket;
  readonly onEvent: EventSink;
  /** told of each VTEP that began or ceased to answer, or whose path MTU changed */
  readonly onChange: (ip: string) => void;
};

/** What is known of the way to each peer's VTEP: by ICMP over the underlay, and through VXLAN where the peer answers that. */
export class WayProbes implements Probes {
  readonly #onChange: (ip: string) => void;
  readonly #echo: PeerProbes;
  readonly #tunnel: TunnelProbes;
  /** what was told of each last */
  readonly #told = new Map<string, PulseState>();
  /** when VXLAN reached each last, also before it could not be asked for a while */
  readonly #reached = new Map<string, number>();

  constructor({ clock, openEcho, openTunnel, onEvent, onChange }: WayProbesOptions) {
    this.#onChange = onChange;
    this.#echo = new PeerProbes({ clock, open: openEcho, onEvent, onChange: (ip) => this.#echoChanged(ip) });
    this.#tunnel = new TunnelProbes({
      clock,
      open: openTunnel,
      isCalm: (ip) => this.#echo.of(ip)?.state === 'up',
      onBeat: (ip) => this.#beat(ip),
    });
  }

  /** Whom to probe from now on, all of the own VTEP's address family. @param targets those that answer through VXLAN */
  follow(from: ProbeFrom | undefined, ips: ReadonlySet<string>, targets: ReadonlyMap<string, TunnelTarget>): void {
    for (const known of [this.#told, this.#reached]) for (const ip of known.keys()) if (!ips.has(ip)) known.delete(ip);
    this.#echo.follow(from, ips);
    this.#tunnel.follow(targets);
  }

  of(ip: string): Probed | undefined {
    const echo = this.#echo.of(ip);
    const tunnel = this.#tunnel.of(ip);
    if (echo === undefined) return echo;
    const state = together(echo, tunnel, { state: this.#told.get(ip), answered: this.#reached.get(ip) });
    if (tunnel === undefined) return { ...echo, state };
    const answered = Math.max(echo.answered ?? -Infinity, tunnel.answered ?? -Infinity);
    return {
      ...echo,
      state,
      answered: answered === -Infinity ? undefined : answered,
      tunnel: { state: tunnel.state, rtt: tunnel.rtt },
    };
  }

  hurry(ip: string): void {
    this.#echo.hurry(ip);
    this.#tunnel.hurry(ip);
  }

  /** Asks now; returns a way to see whether all is known that will be, also where nobody answers. */
  ask(ip: string): () => boolean {
    const answered = [this.#echo.ask(ip), this.#tunnel.ask(ip)];
    return () => answered.every((isDone) => isDone());
  }

  stop(): void {
    this.#echo.stop();
    this.#tunnel.stop();
  }

  /** Pings that are missed are no proof before VXLAN is, and that is asked more rarely. */
  #echoChanged(ip: string): void {
    if (this.#echo.of(ip)?.state !== 'up') this.#tunnel.hurry(ip);
    this.#note(ip);
    this.#onChange(ip);
  }

  #beat(ip: string): void {
    const { answered } = this.#tunnel.of(ip) ?? {};
    if (answered !== undefined) this.#reached.set(ip, answered);
    if (this.#note(ip)) this.#onChange(ip);
  }

  /** Whether it is another state than was told. */
  #note(ip: string): boolean {
    const state = this.of(ip)?.state ?? 'unprobed';
    const isNews = (this.#told.get(ip) ?? 'unprobed') !== state;
    this.#told.set(ip, state);
    return isNews;
  }
}
