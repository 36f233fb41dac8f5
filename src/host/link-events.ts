import { type FSWatcher, watch } from 'node:fs';
import { netlinkAddress } from '../packet/netlink.ts';
import { libc, LINUX } from './libc.ts';
import { NAMED_NAMESPACES } from './sandbox.ts';
import { onTick } from './tick.ts';

const NETLINK_ROUTE = 0;
/** RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR (linux/rtnetlink.h) */
const GROUPS = 0x1 | 0x10 | 0x40 | 0x100;
/**
 * Calls `onChange` when an interface, an address or a route of the own namespace changes, or a named namespace that
 * matters comes or goes. What changed is not said: the next look at the kernel shows it, and no event can be lost that way (a full
 * socket buffer is one more reason to look).
 */
export function watchHost(onChange: () => void, namespaces: () => ReadonlySet<string>): { close(): void } {
  const socket = openSocket();
  const buffer = Buffer.alloc(65_536);
  // libuv cannot wait for a netlink socket, and a blocking read in its thread pool keeps a process from ending
  const stop = onTick(() => {
    if (drain(socket, buffer)) onChange();
  });
  const watcher = watchNamespaces((name) => {
    if (name === null || namespaces().has(name)) onChange();
  });
  return {
    close: () => {
      stop();
      watcher?.close();
      libc().close(socket);
    },
  };
}

function openSocket(): number {
  const { AF_NETLINK, SOCK_RAW, SOCK_CLOEXEC, SOCK_NONBLOCK } = LINUX;
  const socket = libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  libc().bind(socket, netlinkAddress(GROUPS));
  return socket;
}

/** Empties the socket; true where there was anything, or more than it could hold (ENOBUFS). */
function drain(socket: number, buffer: Buffer): boolean {
  let any = false;
  try {
    while (libc().recv(socket, buffer, 0) !== undefined) any = true;
  } catch {
    return true;
  }
  return any;
}

/** Calls `onChange` with the name of a named namespace that came or went. `ip netns add` makes the folder at its first use; where it does not exist yet, the regular cycle finds it. */
export function watchNamespaces(onChange: (name: string | null) => void): FSWatcher | undefined {
  try {
    return watch(NAMED_NAMESPACES, (_event, name) => onChange(name)).on('error', () => {});
  } catch {
    return undefined;
  }
}
