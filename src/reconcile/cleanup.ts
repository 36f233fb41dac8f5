import { namedSandboxes } from '../host/sandbox.ts';
import { NO_WISHES } from '../model/docker.ts';
import { NOTHING_DESIRED } from '../model/network.ts';
import { messageOf } from '../service/errors.ts';
import type { EndpointStore } from '../attach/attach.ts';
import { look } from './cycle.ts';
import { execute } from './steps.ts';

const NO_LEASES = { list: () => [], put: () => {}, remove: () => {} };

/**
 * Removes every link, rule and route of ours: the plan towards a gateway of which nothing is wanted.
 * @returns what was removed, and what could not be
 */
export async function cleanUp(
  gateway: string,
  sandboxes: Iterable<string>,
  endpoints: EndpointStore,
  datapathSocket: string,
): Promise<{ readonly removed: readonly string[]; readonly failed: readonly string[] }> {
  const view = await look(
    {
      gateway,
      fleet: '',
      underlay: { address: '', port: 0 },
      datapath: { engine: 'auto', socket: datapathSocket },
      document: NOTHING_DESIRED,
      endpoints: [],
      brokerPort: undefined,
      lost: false,
      attachments: [],
      docker: () => NO_WISHES,
      leases: NO_LEASES,
      plantLeases: new Map(),
      remotes: new Map(),
      probeKeys: undefined,
      devices: new Map(),
      otherSandboxes: [...sandboxes, ...(await namedSandboxes())],
    },
    {},
  );
  const removed: string[] = [];
  const failed: string[] = [];
  for (const step of view.steps) {
    const what = `${step.object}: ${step.kind}${'name' in step ? ` ${step.name}` : ''}`;
    await execute(step, { endpoints, datapathSocket, rememberFirewall: () => {}, releaseLease: async () => {} }).then(
      () => removed.push(what),
      (error: unknown) => failed.push(`${what}: ${messageOf(error)}`),
    );
  }
  return { removed, failed };
}
