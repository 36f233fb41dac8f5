import { sdNotify, startWatchdog } from '../host/sd-notify.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import { createLog } from '../service/log.ts';
import { EXIT, version } from './arguments.ts';
import { Gateway } from './gateway.ts';

/** Runs the service until a signal ends it; returns when the gateway is up. */
export async function serve(bootstrap: Bootstrap): Promise<void> {
  const log = createLog(bootstrap.log);
  const gateway = new Gateway(bootstrap, log, version);
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    sdNotify('STOPPING=1');
    await gateway.stop();
    process.exit(EXIT.ok);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  await gateway.start();
  startWatchdog(() => gateway.turning);
  sdNotify('READY=1');
  log.info(`gateway ${bootstrap.gateway} of fleet ${bootstrap.fleet} is up`, { status: bootstrap.status.listen });
}
