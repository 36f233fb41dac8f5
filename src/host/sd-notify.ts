import { libc, LINUX } from './libc.ts';

/** Bytes of sockaddr_un.sun_path (unix(7)). */
const SUN_PATH_SIZE = 108;

/**
 * Tells systemd the service's state (sd_notify(3)), e.g. `READY=1` or `STOPPING=1\nSTATUS=closing`. Nothing happens
 * where systemd does not listen. Blocks like sd_notify itself, and so only while PID 1 stands still.
 *
 * @throws SystemCallError when systemd's socket is there in name only
 */
export function sdNotify(state: string, env: NodeJS.ProcessEnv = process.env): void {
  const target = env['NOTIFY_SOCKET'];
  if (!target) return;
  const calls = libc();
  // Not a child process as systemd-notify: with NotifyAccess=main only this very process is heard.
  const descriptor = calls.socket(LINUX.AF_UNIX, LINUX.SOCK_DGRAM | LINUX.SOCK_CLOEXEC, 0);
  try {
    calls.sendto(descriptor, Buffer.from(state), LINUX.MSG_NOSIGNAL, unixAddress(target));
  } finally {
    calls.close(descriptor);
  }
}

/**
 * Pings systemd's watchdog at half its interval as long as `isHealthy` says so; nothing where there is no watchdog.
 * Returns how to stop. A missed ping makes systemd restart the service.
 */
export function startWatchdog(isHealthy: () => boolean, env: NodeJS.ProcessEnv = process.env): () => void {
  const interval = Number(env['WATCHDOG_USEC']) / 1000;
  const meant = env['WATCHDOG_PID'];
  if (!(interval > 0) || (meant && meant !== String(process.pid))) return () => undefined;
  const timer = setInterval(() => ping(isHealthy, env), interval / 2);
  timer.unref();
  return () => clearInterval(timer);
}

function ping(isHealthy: () => boolean, env: NodeJS.ProcessEnv): void {
  try {
    if (isHealthy()) sdNotify('WATCHDOG=1', env);
  } catch {
    // A ping that cannot be made is a ping missed, on which systemd acts; throwing from a timer would end the service now.
  }
}

/** A sockaddr_un: a path with its closing zero, or for `@name` the abstract name after a zero (unix(7)). */
function unixAddress(target: string): Buffer {
  const abstract = target.startsWith('@');
  const name = Buffer.from(abstract ? `\0${target.slice(1)}` : `${target}\0`);
  if (name.byteLength > SUN_PATH_SIZE) throw new RangeError(`NOTIFY_SOCKET is longer than ${SUN_PATH_SIZE} bytes`);
  const family = Buffer.alloc(2);
  // Native byte order; both of our architectures are little-endian.
  family.writeUInt16LE(LINUX.AF_UNIX);
  return Buffer.concat([family, name]);
}
