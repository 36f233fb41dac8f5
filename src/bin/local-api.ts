import { captureRoute } from '../control/socket/capture.ts';
import { createCommands } from '../control/socket/commands.ts';
import { type FirmwareControl, firmwareRoutes } from '../control/socket/firmware-routes.ts';
import { documentRoutes } from '../control/socket/document-routes.ts';
import { probeRoute } from '../control/probes/probe-peers.ts';
import { writeRoutes } from '../control/socket/writes.ts';
import { desiredSchema } from '../document/index.ts';
import { readRoutes, type StatusSource } from '../status/read-routes.ts';
import type { Route } from '../status/router.ts';
import { type Listener, listenTcp, listenUnix } from '../status/server.ts';
import { endpointStatuses } from '../status/snapshot.ts';
import type { GatewayState } from './gateway-state.ts';

export type LocalApiOptions = Pick<StatusSource, 'status' | 'events' | 'firmwareWaitsFor'> & {
  readonly firmware: FirmwareControl;
  /** resolves after a whole cycle that began after this call */
  readonly settled: () => Promise<void>;
};

/** The gateway's local interface, at its two places. */
export class LocalApi {
  readonly #state: GatewayState;
  readonly #options: LocalApiOptions;
  readonly #read: readonly Route[];

  constructor(state: GatewayState, options: LocalApiOptions) {
    this.#state = state;
    this.#options = options;
    this.#read = readRoutes({ ...options, fdb: () => state.fdb(), desiredSchema });
  }

  /** Serves the status over TCP, which changes nothing. @throws LinkspanError where it cannot be served there */
  show(): Promise<Listener> {
    return listenTcp(this.#state.bootstrap.status.listen, this.#read);
  }

  /** Serves the same on the control socket, which may write. @throws LinkspanError where it cannot be served there */
  takeCommands(): Promise<Listener> {
    const routes = [...this.#read, ...controlRoutes(this.#state, this.#options)];
    return listenUnix(this.#state.bootstrap.control.socket, routes);
  }
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
