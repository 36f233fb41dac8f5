import { ERRNO, type Tap, TAP_BATCH } from '../datapath/ports.ts';
import { LinkspanError } from '../service/errors.ts';
import { type CallBatch, openCallBatch, SingleCalls } from './call-batch.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';
import type { MemoryCalls } from './memory-calls.ts';

/** linux/if_tun.h */
const TUN = {
  SETIFF: 0x4004_54ca,
  SETPERSIST: 0x4004_54cb,
  SETOFFLOAD: 0x4004_54d0,
  IFF_TAP: 0x0002,
  IFF_NO_PI: 0x1000,
  IFF_VNET_HDR: 0x4000,
  F_CSUM: 0x01,
  F_TSO4: 0x02,
  F_TSO6: 0x04,
  F_TSO_ECN: 0x08,
  F_USO4: 0x20,
  F_USO6: 0x40,
} as const;

const IFREQ_SIZE = 40;
const IFNAME_SIZE = 16;

/** What a TAP takes and gives unfinished, best first; each kernel takes the first that it knows. */
const OFFLOADS = [
  { name: 'tso+uso', bits: TUN.F_CSUM | TUN.F_TSO4 | TUN.F_TSO6 | TUN.F_TSO_ECN | TUN.F_USO4 | TUN.F_USO6 },
  // before Linux 6.2
  { name: 'tso', bits: TUN.F_CSUM | TUN.F_TSO4 | TUN.F_TSO6 | TUN.F_TSO_ECN },
  { name: 'checksum', bits: TUN.F_CSUM },
  { name: 'none', bits: 0 },
] as const;

export type Offload = (typeof OFFLOADS)[number]['name'];

/** A TAP that this process holds open; frames carry a virtio header of 10 bytes. */
export type OpenTap = { readonly descriptor: number; readonly offload: Offload };

/**
 * Opens the TAP of this name in the own namespace, making it where there is none. One that was made lives as long as
 * the descriptor, unless `keepTap` is called.
 * @throws LinkspanError
 */
export function openTap(name: string): OpenTap {
  const descriptor = openControl(name);
  try {
    const request = Buffer.alloc(IFREQ_SIZE);
    request.write(name, 0, IFNAME_SIZE - 1, 'latin1');
    request.writeUInt16LE(TUN.IFF_TAP | TUN.IFF_NO_PI | TUN.IFF_VNET_HDR, IFNAME_SIZE);
    libc().ioctl(descriptor, TUN.SETIFF, request);
    return { descriptor, offload: setOffload(descriptor) };
  } catch (error) {
    libc().close(descriptor);
    throw error instanceof SystemCallError ? unusable(name, error) : error;
  }
}

/** Opens a TAP that stands already. @throws LinkspanError where there is none of that name */
export function attachTap(name: string): OpenTap {
  if (libc().ifNameToIndex(name) !== 0) return openTap(name);
  const remedy = 'linkspand makes it; if it does not, look at its log';
  throw new LinkspanError({ code: 'tap_missing', object: name, reason: 'there is no such interface', remedy });
}

export function closeTap(tap: OpenTap): void {
  libc().close(tap.descriptor);
}

/** The TAP outlives its descriptor from now on, and its macvlan children with it. */
export function keepTap(tap: OpenTap): void {
  libc().ioctlValue(tap.descriptor, TUN.SETPERSIST, 1);
}

/** The port over an open TAP, for the thread whose batch it is. `base` is the address of that thread's memory. */
function tapPort(descriptor: number, batch: CallBatch, base: number): Tap {
  return {
    read: (at, size, count) => {
      for (let slot = 0; slot < count; slot += 1) batch.read(descriptor, base + at + slot * size, size);
      return batch.run();
    },
    put: (iovecs, count) => batch.writev(descriptor, base + iovecs, count),
    flush: () => batch.run(),
  };
}

/** What a thread reads and writes its TAPs by. They know how not to wait since Linux 6.4. */
export function openTapBatch(calls: MemoryCalls): CallBatch {
  const unattached = openUnattached();
  // Where there is no such thing, no TAP can be opened either, which is told where that is tried.
  if (unattached === undefined) return new SingleCalls(calls, TAP_BATCH);
  try {
    return openCallBatch(calls, TAP_BATCH, unattached);
  } finally {
    libc().close(unattached);
  }
}

function openUnattached(): number | undefined {
  try {
    return openControl('any TAP');
  } catch (error) {
    if (error instanceof LinkspanError) return undefined;
    throw error;
  }
}

/** The ports of several TAPs, given as descriptors by VNI. */
export function tapPorts(descriptors: ReadonlyMap<number, number>, batch: CallBatch, base: number): Map<number, Tap> {
  return new Map([...descriptors].map(([vni, descriptor]) => [vni, tapPort(descriptor, batch, base)]));
}

function openControl(name: string): number {
  try {
    return libc().open('/dev/net/tun', LINUX.O_RDWR | LINUX.O_NONBLOCK | LINUX.O_CLOEXEC);
  } catch (error) {
    throw new LinkspanError({
      code: 'tap_unavailable',
      object: name,
      reason: `/dev/net/tun: ${error instanceof SystemCallError ? error.code : String(error)}`,
      remedy: 'load the module tun ("modprobe tun"), or give this service the device',
      cause: error,
    });
  }
}

function setOffload(descriptor: number): Offload {
  for (const { name, bits } of OFFLOADS) {
    try {
      libc().ioctlValue(descriptor, TUN.SETOFFLOAD, bits);
      return name;
    } catch (error) {
      if (!(error instanceof SystemCallError) || error.errno !== ERRNO.EINVAL) throw error;
    }
  }
  return 'none';
}

function unusable(name: string, error: SystemCallError): LinkspanError {
  const remedy =
    error.code === 'EBUSY'
      ? 'another process holds it: stop the other linkspan-datapath'
      : 'an interface of this name exists and is no TAP, or this service lacks CAP_NET_ADMIN';
  return new LinkspanError({ code: 'tap_unusable', object: name, reason: error.message, remedy, cause: error });
}
