import { attach, type EndpointStore } from '../attach/attach.ts';
import { detach } from '../attach/detach.ts';
import { move } from '../attach/move.ts';
import { setDatapath } from '../host/datapath-client.ts';
import { syncBridge } from '../host/bridge-fdb.ts';
import { syncFdb } from '../host/fdb.ts';
import { forgetStaleFlows } from '../host/conntrack.ts';
import { syncDockerUser } from '../host/docker-user.ts';
import { applyFirewall, readTable } from '../host/firewall.ts';
import { applyGuards, readGuardTable } from '../host/guard-tables.ts';
import { setForwarding, setLocalnet } from '../host/forwarding.ts';
import { clearNeighbours, syncNeighbours } from '../host/neighbour-tables.ts';
import { syncRoutes } from '../host/routes.ts';
import { adjustLink, createLink, deleteLink, setDown } from './link-steps.ts';
import type { FirewallMemory, Step } from './plan.ts';

/** What executing a step needs beside the step. */
export type StepContext = {
  readonly endpoints: EndpointStore;
  readonly datapathSocket: string;
  readonly rememberFirewall: <K extends keyof FirewallMemory>(table: K, applied: FirewallMemory[K]) => void;
  /** gives an endpoint's lease back to the plant's DHCP server; none is no error */
  readonly releaseLease: (key: string) => Promise<void>;
};

type Executors = {
  readonly [K in Step['kind']]: (step: Extract<Step, { kind: K }>, context: StepContext) => Promise<void>;
};

/** The one place where a plan becomes changes of the host. Every executor may be run again after a crash half-way. */
const executors: Executors = {
  'endpoint.detach': async (step, { endpoints, releaseLease }) => {
    await releaseLease(step.object.replace('endpoint/', ''));
    await detach(step.sandbox, step.name, step.object, endpoints);
  },
  'endpoint.attach': (step, { endpoints }) => attach(step.spec, endpoints),
  'endpoint.move': (step) => move(step.spec, step.to, step.from),
  'link.delete': (step) => deleteLink(step.name, step.sandbox),
  'link.create': (step) => createLink(step.link),
  'link.down': (step) => setDown(step.name),
  'link.adjust': (step) => adjustLink(step.name, step.changes, step.sandbox),
  'fdb.sync': (step) => syncFdb(step.device, step.add, step.remove),
  'bridge.sync': (step) => syncBridge(step.bridge, step.add, step.remove),
  'neighbours.sync': (step) => syncNeighbours(step),
  'neighbours.clear': (step) => clearNeighbours(step.port),
  'routes.sync': (step) => syncRoutes(step.add, step.remove),
  'forwarding.set': async (step) => setForwarding(step.family, step.devices, step.on),
  'localnet.set': async (step) => setLocalnet(step.devices, step.on),
  'docker.sync': (step) => syncDockerUser(step.family, step.add, step.remove),
  'datapath.set': (step, { datapathSocket }) => setDatapath(datapathSocket, step.state),
  'firewall.apply': async (step, { rememberFirewall }) => {
    const { family, body, flows, local } = step;
    await applyFirewall(family, body);
    const listed = await readTable(family);
    rememberFirewall(family, listed && { body, fingerprint: listed.fingerprint });
    await forgetStaleFlows(flows, new Set(local));
  },
  'guards.apply': async ({ table, body }, { rememberFirewall }) => {
    // Some kernels take a chain away with its device and change no number by which a look would see that.
    rememberFirewall(table, undefined);
    await applyGuards(table, body);
    const fingerprint = await readGuardTable(table);
    rememberFirewall(table, fingerprint === undefined ? undefined : { body, fingerprint });
  },
};

/** @throws CommandError where the host refuses */
export function execute(step: Step, context: StepContext): Promise<void> {
  const executor = executors[step.kind] as (step: Step, context: StepContext) => Promise<void>;
  return executor(step, context);
}
