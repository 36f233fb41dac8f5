import { getOverSocket, type HttpAnswer } from './over-socket.ts';
import { type Reaper, startReaper } from './reaper.ts';
import { type Spawn, spawnHere } from './spawn.ts';

/** A kernel with programs above it, for labs to be built on: this machine, or a VM. */
export type Machine = {
  readonly spawn: Spawn;
  /** one GET over a unix socket there; rejects where nobody listens */
  readonly get: (socket: string, path: string) => Promise<HttpAnswer>;
  /** who clears up after a lab whose process has died */
  readonly reaper: () => Reaper;
};

/** The machine that this runs on. */
export const HOST: Machine = { spawn: spawnHere, get: getOverSocket, reaper: startReaper };
