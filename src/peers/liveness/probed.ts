import type { PulseState } from './pulse.ts';

/** What probes of one VTEP found out. */
export type Probed = {
  /** of all probes together */
  readonly state: PulseState;
  /** the mean round trip over the underlay in milliseconds */
  readonly rtt: number | undefined;
  /** when it last answered, monotonic milliseconds */
  readonly answered: number | undefined;
  /** the largest IP packet that the way to it passes */
  readonly pathMtu: number | undefined;
  /** what became of probes through VXLAN, with their mean round trip; absent: there are none */
  readonly tunnel?: { readonly state: PulseState; readonly rtt: number | undefined };
};

/** What one kind of probes found out. */
export type EchoProbed = Omit<Probed, 'tunnel'> & { readonly missed: number };

export interface Probes {
  /** undefined where the address is not probed */
  of(ip: string): Probed | undefined;
  /** its gateway is said to be gone: asks at once */
  hurry(ip: string): void;
}
