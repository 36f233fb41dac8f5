import type { DesiredState } from '../../../src/model/network.ts';
import type { RemotesByVni } from '../../../src/model/peer.ts';
import { effective } from '../../../src/reconcile/effective.ts';
import { type Intent, intend } from '../../../src/reconcile/intend.ts';
import { type Plan, plan } from '../../../src/reconcile/plan.ts';
import { document, documentOf, type Json, parse } from './documents.ts';
import type { Kernel } from './kernel.ts';

export const PORT = 4789;
export const SOCKET = '/run/linkspan/datapath.sock';
const PASSES = 4;
const PROBE_KEY = Buffer.from('0102030405060708', 'hex');

/** What a document of these networks and workloads asks for, with an address for every endpoint that names none. */
export function desired(networks: Json, workloads: Json = {}): DesiredState {
  return effective(documentOf(parse(document(networks, workloads))).state, [], [], new Map(), 'gw-a').desired;
}

export function intentOf(kernel: Kernel, state: DesiredState, remotes: RemotesByVni, gateway = 'gw-a'): Intent {
  const seen = kernel.observe();
  const { links, underlay, vxlan, answers } = seen;
  const engines = {
    vxlan,
    answers,
    preferred: kernel.preferred,
    datapath: { socket: SOCKET, running: kernel.datapathRuns },
  };
  const { devices } = kernel;
  return intend(
    state,
    remotes,
    { gateway, links, underlay, port: PORT, engines, devices, probeKeys: { key: PROBE_KEY, former: undefined } },
    seen,
  );
}

/** One look at the kernel, as a cycle takes it. */
export function look(
  kernel: Kernel,
  state: DesiredState,
  remotes: RemotesByVni = new Map(),
  gateway = 'gw-a',
): Plan & { readonly intent: Intent } {
  const intent = intentOf(kernel, state, remotes, gateway);
  return { intent, ...plan(intent, kernel.observe(), gateway, kernel.memory) };
}

/** Looks and acts until a look finds nothing to do, as the loop does; throws where it never comes to rest. */
export function converge(
  kernel: Kernel,
  state: DesiredState,
  remotes: RemotesByVni = new Map(),
  gateway = 'gw-a',
): Plan & { readonly intent: Intent } {
  for (let pass = 0; pass < PASSES; pass += 1) {
    const view = look(kernel, state, remotes, gateway);
    if (view.steps.length === 0) return view;
    kernel.run(view.steps);
  }
  const { steps } = look(kernel, state, remotes, gateway);
  throw new Error(`not at rest after ${PASSES} passes: ${JSON.stringify(steps)}`);
}
