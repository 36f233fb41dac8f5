import type { PulseState } from './pulse.ts';

/** What probes over the underlay found out about one VTEP. */
export type Probed = {
  readonly state: PulseState;
  /** the mean round trip in milliseconds */
  readonly rtt: number | undefined;
  /** when it last answered, monotonic milliseconds */
  readonly answered: number | undefined;
  /** the largest IP packet that the way to it passes */
  readonly pathMtu: number | undefined;
};

export interface Probes {
  /** undefined where the address is not probed */
  of(ip: string): Probed | undefined;
  /** its gateway is said to be gone: asks at once */
  hurry(ip: string): void;
}
