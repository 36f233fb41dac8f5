import type { EndpointStore } from '../attach/attach.ts';
import { isNamespace } from '../host/sandbox.ts';
import { endpointKey } from '../model/network.ts';
import type { CycleView } from './cycle.ts';

type Kept = { readonly workload: string; readonly network: string; readonly sandbox: string };
type Endpoints = Pick<EndpointStore, 'remove'> & { list(): readonly Kept[] };

/** Forgets interfaces that nobody wants and whose sandbox is gone: with that they went, so no step is left that says so. */
export function forgetGone({ desired }: Pick<CycleView, 'desired'>, endpoints: Endpoints): void {
  const wanted = new Set(desired.endpoints.map((endpoint) => endpointKey(endpoint)));
  for (const { workload, network, sandbox } of endpoints.list()) {
    if (!wanted.has(`${workload}/${network}`) && !isNamespace(sandbox)) endpoints.remove(workload, network);
  }
}
