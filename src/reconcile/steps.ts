import { attach, type EndpointStore } from '../attach/attach.ts';
import { detach } from '../attach/detach.ts';
import type { LinkKind, LinkSpec } from '../drivers/driver.ts';
import { syncFdb } from '../host/fdb.ts';
import { applyFirewall, readFirewall } from '../host/firewall.ts';
import { setForwarding } from '../host/forwarding.ts';
import { OUR_GROUP } from '../host/links.ts';
import { setGro } from '../host/offloads.ts';
import { syncRoutes } from '../host/routes.ts';
import { CommandError, ipBatch } from '../host/run.ts';
import type { FirewallMemory, Step } from './plan.ts';
import type { Adjustment } from './plan-links.ts';

/** What executing a step needs beside the step. */
export type StepContext = {
  readonly endpoints: EndpointStore;
  readonly rememberFirewall: (memory: FirewallMemory) => void;
};

type Executors = {
  readonly [K in Step['kind']]: (step: Extract<Step, { kind: K }>, context: StepContext) => Promise<void>;
};

/** The one place where a plan becomes changes of the host. Every executor may be run again after a crash half-way. */
const executors: Executors = {
  'endpoint.detach': (step, { endpoints }) => detach(step.sandbox, step.name, step.object, endpoints),
  'endpoint.attach': (step, { endpoints }) => attach(step.spec, endpoints),
  'link.delete': (step) => deleteLink(step.name),
  'link.create': (step) => createLink(step.link),
  'link.adjust': (step) => adjustLink(step.name, step.changes, step.sandbox),
  'fdb.sync': (step) => syncFdb(step.device, step.add, step.remove),
  'routes.sync': (step) => syncRoutes(step.add, step.remove),
  'forwarding.set': (step) => setForwarding(step.devices, step.on),
  'firewall.apply': async (step, { rememberFirewall }) => {
    await applyFirewall(step.body);
    const listed = await readFirewall();
    rememberFirewall(listed && { body: step.body, fingerprint: listed.fingerprint });
  },
};

/** @throws CommandError where the host refuses */
export function execute(step: Step, context: StepContext): Promise<void> {
  const executor = executors[step.kind] as (step: Step, context: StepContext) => Promise<void>;
  return executor(step, context);
}

/** Alias and addresses come before `up`: an interface that is up is complete. A half-made link leaves with the error. */
async function createLink(link: LinkSpec): Promise<void> {
  const { name, mtu, kind } = link;
  const parent = kind.type === 'macvlan' ? `link ${kind.parent} ` : '';
  await ipBatch([`link add ${parent}name ${name} mtu ${mtu} group ${OUR_GROUP} type ${kindWords(kind)}`]);
  try {
    await ipBatch([
      `link set dev ${name} alias "${link.alias}"`,
      ...link.addresses.map((address) => addAddress(address, name)),
      `link set dev ${name} up`,
    ]);
    if (kind.type === 'vxlan') setGro(name, kind.gro);
  } catch (error) {
    await ipBatch([`link del dev ${name}`]).catch(() => {});
    throw error;
  }
}

/** A link may be gone with another that an earlier step deleted: a veth's host end goes with the workload's end. */
async function deleteLink(name: string): Promise<void> {
  await ipBatch([`link del dev ${name}`]).catch((error: unknown) => {
    if (!(error instanceof CommandError && error.stderr.includes('Cannot find device'))) throw error;
  });
}

function kindWords(kind: LinkKind): string {
  if (kind.type === 'bridge') return 'bridge';
  if (kind.type === 'macvlan') return `macvlan mode ${kind.mode}`;
  const multicast = kind.multicast === undefined ? '' : ` group ${kind.multicast.group} dev ${kind.multicast.device}`;
  const learning = kind.learning ? 'learning' : 'nolearning';
  return `vxlan id ${kind.vni} local ${kind.local} dstport ${kind.port} ${learning}${multicast}`;
}

/** `nodad`: see `attach`; the shim's address is the parent's too, and would find itself a duplicate. */
function addAddress(address: string, name: string): string {
  return `address add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`;
}

async function adjustLink(name: string, changes: Adjustment, sandbox: string | undefined): Promise<void> {
  if (changes.gro !== undefined) setGro(name, changes.gro);
  const set = `link set dev ${name}`;
  await ipBatch(
    [
      ...(changes.vxlan === undefined ? [] : [`${set} type vxlan ${changes.vxlan.join(' ')}`]),
      ...(changes.mtu === undefined ? [] : [`${set} mtu ${changes.mtu}`]),
      ...(changes.master === undefined ? [] : [`${set} master ${changes.master}`]),
      ...changes.addAddresses.map((address) => addAddress(address, name)),
      ...changes.removeAddresses.map((address) => `address del ${address} dev ${name}`),
      ...(changes.alias === undefined ? [] : [`${set} alias "${changes.alias}"`]),
      ...(changes.up === undefined ? [] : [`${set} up`]),
      ...(changes.addDefaults ?? []).map((gateway) => `route replace default via ${gateway} dev ${name}`),
    ],
    sandbox,
  );
}
