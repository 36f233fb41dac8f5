import { startDatapath } from '../../lab/datapath.ts';
import { type Gateway, startGateway } from '../../lab/gateway.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import type { Site } from '../../lab/sites.ts';

/** A site whose plant is stretched: its gateway with both engines, and a workload. */
export type StretchEnd = {
  readonly site: Site;
  readonly workload: Namespace;
  readonly address: string;
  /** once more, with the state that it had */
  readonly start: () => Promise<Gateway>;
  gateway: Gateway;
};

/** @param broker its URL */
export async function startEnd(
  lab: Lab,
  site: Site,
  { name, broker, address }: { readonly name: string; readonly broker: string; readonly address: string },
): Promise<StretchEnd> {
  const dir = await lab.folder();
  const datapath = await startDatapath(lab, site.gateway, { dir });
  const config = {
    gateway: name,
    fleet: 'plant',
    underlay: { address: site.underlay },
    mqtt: { url: broker },
    status: { listen: '127.0.0.1:0' },
    datapath: { socket: datapath.socket },
  };
  const start = (): Promise<Gateway> => startGateway(lab, { namespace: site.gateway, dir, config });
  return { site, gateway: await start(), start, workload: await site.workload('w'), address };
}
