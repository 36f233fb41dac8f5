import { captureRoute } from '../control/socket/capture.ts';
import { createCommands } from '../control/socket/commands.ts';
import { type FirmwareControl, firmwareRoutes } from '../control/socket/firmware-routes.ts';
import { documentRoutes } from '../control/socket/document-routes.ts';
import { probeRoute } from '../control/probes/probe-peers.ts';
import { writeRoutes } from '../control/socket/writes.ts';
import { desiredSchema } from '../document/index.ts';
import { readRoutes, type StatusSource } from '../status/read-routes.ts';
import type { Route } from '../status/router.ts';
import { listenTcp, listenUnix } from '../status/server.ts';
import { endpointStatuses } from '../status/snapshot.ts';
import type { GatewayState } from './gateway-state.ts';

export type LocalApiOptions = Pick<StatusSource, 'status' | 'events' | 'firmwareWaitsFor'> & {
  readonly firmware: FirmwareControl;
  /** resolves after a whole cycle that began after this call */
  readonly settled: () => Promise<void>;
};

/**
 * Serves the status over TCP, which changes nothing, and on the control socket, which may write. Returns what closes both.
 * @throws LinkspanError where one of them cannot be served on
 */
export async function serveLocally(state: GatewayState, options: LocalApiOptions): Promise<() => Promise<void>> {
  const { status, control } = state.bootstrap;
  const read = readRoutes({ ...options, fdb: () => state.fdb(), desiredSchema });
  const tcp = await listenTcp(status.listen, read);
  const unix = await listenUnix(control.socket, [...read, ...controlRoutes(state, options)]);
  return async () => {
    await unix.close();
    await tcp.close();
  };
}

function controlRoutes(state: GatewayState, { settled, firmware }: LocalApiOptions): readonly Route[] {
  const commands = createCommands({
    documents: state.documents,
    attachments: state.store.attachments,
    devices: state.devices,
    settled,
    endpoints: () => (state.view ? endpointStatuses(state.view) : []),
  });
  return [
    captureRoute({ view: () => state.view, port: state.bootstrap.underlay.port }),
    ...documentRoutes(state.documents),
    ...firmwareRoutes(firmware),
    probeRoute(state.probeSource),
    ...writeRoutes(commands),
  ];
}
