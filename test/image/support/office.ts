import type { Place } from '../../lab/namespace.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Appliance } from '../../lab/image/appliance.ts';
import { freePorts } from '../../lab/image/free-ports.ts';
import { until } from '../../lab/wait.ts';
import { type FleetBroker, startBroker } from '../../netns/support/mqtt.ts';

/** This machine, as its gateways see it through their port to the internet. */
export const OFFICE = '10.0.2.2';
/** What an emulated gateway may take until it reports a document as applied. */
export const APPLY_MS = 180_000;
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

/**
 * Has a gateway that was saved go on, without an order from the office, and waits until it has found the broker anew:
 * it still takes itself for connected, and hears nothing until it notices.
 */
export async function goOn({ operator }: Office, gateway: Appliance, name: string, from: string): Promise<void> {
  await operator.publish(`gw/${name}/desired`, undefined);
  operator.forget();
  await gateway.powerOn({ from });
  await until(`${name} to be back`, () => operator.topic(`gw/${name}/alive`)?.['state'] === 'up', 60_000);
}

/** What a technician puts on the card for a gateway: its page can be seen from outside. */
export function bootstrap(gateway: string, url: string, more: Record<string, unknown> = {}): Record<string, string> {
  const config = { gateway, fleet: 'plant', mqtt: { url }, status: { listen: '0.0.0.0:8479' }, ...more };
  // JSON is YAML, too.
  return { 'linkspan.yaml': `${JSON.stringify(config, undefined, 2)}\n` };
}
