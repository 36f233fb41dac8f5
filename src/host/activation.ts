/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST = 3;

/**
 * The descriptor of the socket that systemd has opened for this process under the name `name` (FileDescriptorName= of its
 * unit), or undefined. Callers that connected before this process ran wait in it, where they would be refused else.
 */
export function activatedSocket(name: string, env: NodeJS.ProcessEnv = process.env): number | undefined {
  if (env['LISTEN_PID'] !== String(process.pid)) return undefined;
  const count = Number(env['LISTEN_FDS'] ?? 0);
  const index = (env['LISTEN_FDNAMES'] ?? '').split(':').indexOf(name);
  return index >= 0 && index < count ? FIRST + index : undefined;
}
