import type { Namespace } from '../../lab/namespace.ts';

/** What a DHCP client says that asks once, by `eth0`, and changes nothing. */
export async function askForLease(from: Namespace): Promise<string> {
  const client = ['busybox', 'udhcpc', '-f', '-n', '-q', '-t', '2', '-T', '1', '-s', '/bin/true', '-i', 'eth0'];
  const { stdout, stderr } = await from.attempt(...client);
  return stdout + stderr;
}
