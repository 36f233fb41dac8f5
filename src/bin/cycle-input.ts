import { wishesOf } from '../docker/records.ts';
import type { CycleInput } from '../reconcile/cycle.ts';
import type { PlantLeases } from '../reconcile/effective.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import type { DockerPlugin } from './docker-plugin.ts';
import type { GatewayState } from './gateway-state.ts';

/** What a cycle starts from: the document's wishes, the control socket's and Docker's, and what others have said. */
export function cycleInput(state: GatewayState, docker: DockerPlugin, plantLeases: PlantLeases): CycleInput {
  const { bootstrap, store, documents } = state;
  return {
    gateway: bootstrap.gateway,
    fleet: bootstrap.fleet,
    underlay: bootstrap.underlay,
    datapath: bootstrap.datapath,
    brokerPort: embeddedPort(bootstrap),
    document: documents.desired,
    endpoints: docker.placed(documents.desired.endpoints),
    lost: documents.lost,
    attachments: docker.placed(store.attachments.list()),
    docker: () => wishesOf(store.docker),
    leases: store.leases,
    plantLeases,
    remotes: state.remotes(),
    devices: state.devices.macs,
    probeKeys: state.probeKeys.keys,
    otherSandboxes: store.endpoints.list().map((row) => row.sandbox),
  };
}

function embeddedPort({ mqtt }: Bootstrap): number | undefined {
  const port = Number(/:(\d+)$/.exec(mqtt.embedded.listen)?.[1] ?? 0);
  return mqtt.url === '' && port > 0 ? port : undefined;
}
