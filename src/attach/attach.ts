import { type EndpointSpec, memoOf } from '../drivers/driver.ts';
import { withMemo } from '../drivers/naming.ts';
import { OUR_GROUP, setPort } from '../host/links.ts';
import { CommandError, ipBatch } from '../host/run.ts';
import { formatIpPrefix } from '../model/ip.ts';
import { type Endpoint, sandboxPath } from '../model/network.ts';
import { LinkspanError } from '../service/errors.ts';
import { announce } from './announce.ts';
import { addMacvlan, limitSegments } from './macvlan.ts';
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
    const [make, ...mark] = makeLink(spec);
    await ipBatch([make]);
    // Only from here on is that name certainly ours: before, it may be a foreign interface that made this fail.
    undo.push('link in the host', () => ipBatch([`link del dev ${temporary}`]));
    await ipBatch(mark);
    if (spec.attachment.type === 'macvlan') await limitSegments(temporary, spec.attachment);
    // Remembered before it is there: after a crash the record says in which namespace to look for what is unwanted.
    undo.push('record', async () => store.remove(endpoint.workload, endpoint.network));
    store.put(remembered(endpoint, sandbox));
    undo.push('link on its way', () => ipBatch([`link del dev ${temporary}`], sandbox));
    await ipBatch([`link set dev ${temporary} netns ${sandbox} name ${endpoint.interface}`]);
    // Only from here on is that name certainly ours: before, it may be a foreign interface that made the move fail.
    undo.push('link in the sandbox', () => ipBatch([`link del dev ${endpoint.interface}`], sandbox));
    await ipBatch(configure(spec), sandbox);
    announce(sandbox, endpoint, spec.seenMac);
  } catch (error) {
    await undo.rollBack();
    throw isMacTaken(error) ? macTaken(spec, error) : error;
  }
}

function makeLink(spec: EndpointSpec): readonly [string, ...string[]] {
  const { attachment, temporary, mtu } = spec;
  const alias = `link set dev ${temporary} alias "${withMemo(spec.alias, memoOf(spec))}"`;
  if (attachment.type === 'macvlan') {
    return [addMacvlan(temporary, attachment, spec.mac, mtu), alias];
  }
  const address = spec.mac === undefined ? '' : ` address ${spec.mac}`;
  const common = `name ${temporary}${address} mtu ${mtu} group ${OUR_GROUP}`;
  const { hostEnd } = spec;
  return [
    `link add ${common} type veth peer name ${hostEnd} mtu ${mtu} group ${OUR_GROUP}`,
    alias,
    `link set dev ${hostEnd} alias "${spec.alias}"`,
    `link set dev ${hostEnd} master ${attachment.bridge}`,
    // Before it is up: at no moment does a frame pass that shall not.
    ...(spec.port === undefined ? [] : [setPort(hostEnd, spec.port)]),
    `link set dev ${hostEnd} up`,
  ];
}

/**
 * `nodad`: a document's addresses were checked for duplicates, and duplicate address detection would keep an IPv6
 * address unusable for its first second.
 */
function configure(spec: EndpointSpec): readonly string[] {
  const name = spec.endpoint.interface;
  return [
    'link set dev lo up',
    ...spec.endpoint.addresses.map(
      (address) => `address add ${formatIpPrefix(address)} dev ${name}${address.family === 6 ? ' nodad' : ''}`,
    ),
    `link set dev ${name} up`,
    ...spec.gateways.map((gateway) => `route replace default via ${gateway} dev ${name}`),
  ];
}

function remembered(endpoint: Endpoint, sandbox: string): Parameters<EndpointStore['put']>[0] {
  const { workload, network, mac } = endpoint;
  return { workload, network, sandbox, interface: endpoint.interface, mac };
}

/** macvlan refuses a second interface of the same MAC on one parent when it is brought up. */
function isMacTaken(error: unknown): boolean {
  return error instanceof CommandError && error.stderr.includes('Address already in use');
}

function macTaken({ endpoint, attachment }: EndpointSpec, cause: unknown): LinkspanError {
  const parent = attachment.type === 'macvlan' ? attachment.parent : attachment.bridge;
  return new LinkspanError({
    code: 'mac_taken',
    object: `MAC ${endpoint.mac}`,
    reason: `another interface on ${parent} has it`,
    remedy: 'end the processes that still hold a deleted namespace with it, or give another "mac"',
    cause,
  });
}
