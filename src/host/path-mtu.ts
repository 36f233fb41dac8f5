import { isIPv6 } from 'node:net';
import { sockaddr } from '../datapath/sockaddr.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';

/** Any port will do: nothing is sent there. */
const DISCARD = 9;
/** linux/in.h, linux/in6.h */
const IP = { level: 0, mtu: 14 } as const;
const IPV6 = { level: 41, mtu: 24 } as const;

/**
 * The largest IP packet that the way from an own address to another passes, as far as this kernel knows: by the
 * interface, the route, and what routers said (ICMP, RFC 1191, RFC 8201), which it forgets after ten minutes.
 * Undefined where there is no way.
 */
export function pathMtu(from: string, to: string): number | undefined {
  const six = isIPv6(to);
  let descriptor = -1;
  try {
    descriptor = libc().socket(six ? LINUX.AF_INET6 : LINUX.AF_INET, LINUX.SOCK_DGRAM | LINUX.SOCK_CLOEXEC, 0);
    libc().bind(descriptor, sockaddr({ ip: from, port: 0 }));
    // Only a connected socket is asked about its way; UDP sends nothing for it.
    libc().connect(descriptor, sockaddr({ ip: to, port: DISCARD }));
    const { level, mtu } = six ? IPV6 : IP;
    return libc().getsockopt(descriptor, level, mtu);
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  } finally {
    if (descriptor >= 0) libc().close(descriptor);
  }
}
