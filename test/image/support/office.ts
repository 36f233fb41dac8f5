import type { Place } from '../../lab/namespace.ts';
import type { Lab } from '../../lab/lab.ts';
import { freePorts } from '../../lab/image/free-ports.ts';
import { type FleetBroker, startBroker } from '../../netns/support/mqtt.ts';

/** This machine, as its gateways see it through their port to the internet. */
export const OFFICE = '10.0.2.2';
/** What an emulated gateway may take until it reports a document as applied. */
export const APPLY_MS = 60_000;
const HERE: Place = { inside: (argv) => argv };

export type Office = FleetBroker & {
  /** where the gateways find the broker */
  readonly url: string;
};

/** A broker on this machine's loopback, which gateways reach, and an operator. */
export async function openOffice(lab: Lab): Promise<Office> {
  const [port = 0] = await freePorts(1);
  return { ...(await startBroker(lab, HERE, '127.0.0.1', port)), url: `mqtt://${OFFICE}:${port}` };
}

/** What a technician puts on the card for a gateway: its page can be seen from outside. */
export function bootstrap(gateway: string, url: string, more: Record<string, unknown> = {}): Record<string, string> {
  const config = { gateway, fleet: 'plant', mqtt: { url }, status: { listen: '0.0.0.0:8479' }, ...more };
  // JSON is YAML, too.
  return { 'linkspan.yaml': `${JSON.stringify(config, undefined, 2)}\n` };
}
