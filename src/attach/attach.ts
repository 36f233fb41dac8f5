import { wireUnder } from '../drivers/attachment.ts';
import type { EndpointSpec } from '../drivers/driver.ts';
import { ipBatch } from '../host/run.ts';
import { formatIpPrefix } from '../model/ip.ts';
import { type Endpoint, sandboxPath } from '../model/network.ts';
import { announce } from './announce.ts';
import { addressLines, makeLink, routeLines } from './link.ts';
import { explained } from './refusals.ts';
import { UndoStack } from './undo.ts';

/** Where attached endpoints are remembered; the store satisfies it. */
export interface EndpointStore {
  put(endpoint: { workload: string; network: string; sandbox: string; interface: string; mac: string }): void;
  remove(workload: string, network: string): void;
}

/**
 * One workload's way onto its network: the link is made in the host under a temporary name and marked; the endpoint is
 * remembered; the link is moved into the sandbox, named, addressed, brought up and announced to the wire. Whatever fails takes back all before it.
 * @throws CommandError of the step that failed
 */
export async function attach(spec: EndpointSpec, store: EndpointStore): Promise<void> {
  const undo = new UndoStack();
  const { endpoint, temporary } = spec;
  const sandbox = sandboxPath(endpoint.sandbox);
  try {
    await makeLink(spec, undo);
    // Remembered before it is there: after a crash the record says in which namespace to look for what is unwanted.
    undo.push('record', async () => store.remove(endpoint.workload, endpoint.network));
    store.put(remembered(endpoint, sandbox));
    undo.push('link on its way', () => ipBatch([`link del dev ${temporary}`], sandbox));
    await ipBatch([`link set dev ${temporary} netns ${sandbox} name ${endpoint.interface}`]);
    // Only from here on is that name certainly ours: before, it may be a foreign interface that made the move fail.
    undo.push('link in the sandbox', () => ipBatch([`link del dev ${endpoint.interface}`], sandbox));
    await ipBatch(configure(spec), sandbox);
    announce(sandbox, spec, endpoint.interface);
  } catch (error) {
    await undo.rollBack();
    const addresses = endpoint.addresses.map((address) => formatIpPrefix(address));
    throw explained(error, { mac: endpoint.mac, addresses }, wireUnder(spec.attachment));
  }
}

function configure(spec: EndpointSpec): readonly string[] {
  const name = spec.endpoint.interface;
  return [
    'link set dev lo up',
    ...addressLines(spec.endpoint.addresses, name),
    `link set dev ${name} up`,
    ...routeLines(spec, name),
  ];
}

function remembered(endpoint: Endpoint, sandbox: string): Parameters<EndpointStore['put']>[0] {
  const { workload, network, mac } = endpoint;
  return { workload, network, sandbox, interface: endpoint.interface, mac };
}
