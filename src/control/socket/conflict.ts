import { type DesiredState, type Endpoint, type Network, sandboxPath } from '../../model/network.ts';
import type { EndpointStatus } from '../../model/status.ts';
import { type Refusal, refuse } from '../request/refusal.ts';

/** Why an attachment cannot stand beside what is wanted and what runs, or undefined. */
export function conflict(
  endpoint: Endpoint,
  network: Network,
  desired: DesiredState,
  attachments: readonly Endpoint[],
  running: readonly EndpointStatus[],
): Refusal | undefined {
  const { workload } = endpoint;
  const { name } = network;
  if (desired.endpoints.some((other) => other.workload === workload && other.network === name)) {
    const message = `workload ${workload} is put on ${name} by the document; change it there`;
    return refuse('refused', 'duplicate_interface', message);
  }
  const all = [...desired.endpoints, ...attachments].filter((o) => o.workload !== workload || o.network !== name);
  const place = sandboxPath(endpoint.sandbox);
  const sameName = all.find((o) => o.interface === endpoint.interface && sandboxPath(o.sandbox) === place);
  if (sameName !== undefined) {
    const message = `interface ${endpoint.interface} in that namespace is ${sameName.workload}'s on ${sameName.network}; give another`;
    return refuse('refused', 'duplicate_interface', message);
  }
  const sameMac = all.find((other) => other.network === name && other.mac === endpoint.mac);
  if (sameMac !== undefined) {
    const message = `MAC ${endpoint.mac} is ${sameMac.workload}'s on ${name}; give another`;
    return refuse('refused', 'duplicate_mac', message);
  }
  const [clash] = endpoint.addresses.flatMap(({ address }) => {
    const holder = holderOf(
      address,
      network,
      all,
      running.filter((other) => other.workload !== workload),
    );
    return holder === undefined ? [] : [`address ${address} is ${holder} on ${name}; give another`];
  });
  return clash === undefined ? undefined : refuse('refused', 'duplicate_address', clash);
}

/** Who has an address of the network: its router, a workload that was given it, or one that was picked it. */
function holderOf(
  address: string,
  network: Network,
  others: readonly Endpoint[],
  running: readonly EndpointStatus[],
): string | undefined {
  if (network.gateways.includes(address)) return "the router's";
  const has = (text: string): boolean => text.split('/')[0] === address;
  const given = others.find((o) => o.network === network.name && o.addresses.some((a) => a.address === address));
  const holder = given ?? running.find((other) => other.network === network.name && other.addresses.some(has));
  return holder && `${holder.workload}'s`;
}
