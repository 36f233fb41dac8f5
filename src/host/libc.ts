import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';

/** Numbers of Linux's ABI, the same on x86-64 and arm64. */
export const LINUX = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,
  AF_NETLINK: 16,
  AF_PACKET: 17,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
  O_RDONLY: 0,
  O_RDWR: 2,
  O_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
  CLONE_NEWNET: 0x40000000,
  NETLINK_NETFILTER: 12,
  NETLINK_GENERIC: 16,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  IPPROTO_IP: 0,
  IP_FREEBIND: 15,
} as const;

const EAGAIN = 11;

/** A system call that failed, in the shape of Node's own: `code` as ENOENT, `errno` positive, `syscall` its name. */
export class SystemCallError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${syscall} failed: ${code}`);
    this.name = 'SystemCallError';
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

/**
 * The C library's calls that Node has no other way to. All are synchronous on the calling thread; addresses are
 * sockaddr structures in bytes; all throw SystemCallError, except that a receive with nothing there is undefined.
 */
export type Libc = {
  /** Returns a file descriptor. */
  socket(domain: number, type: number, protocol: number): number;
  bind(descriptor: number, address: Uint8Array): void;
  connect(descriptor: number, address: Uint8Array): void;
  /** Returns the bytes sent. */
  sendto(descriptor: number, data: Uint8Array, flags: number, address: Uint8Array): number;
  /** As `sendto`, by a thread of the pool: the event loop goes on while the kernel is at work. */
  sendtoLater(descriptor: number, data: Uint8Array, flags: number, address: Uint8Array): Promise<number>;
  /** Returns the bytes received into `data`, or undefined where nothing waits on a non-blocking socket. */
  recv(descriptor: number, data: Uint8Array, flags: number): number | undefined;
  /** As `recv`, by a thread of the pool; `data` is the kernel's until it is done. */
  recvLater(descriptor: number, data: Uint8Array, flags: number): Promise<number>;
  /** As `recv`; the sender's address goes into `address`, its length is `addressLength`. */
  recvfrom(
    descriptor: number,
    data: Uint8Array,
    flags: number,
    address: Uint8Array,
  ): { length: number; addressLength: number } | undefined;
  /** Opens without the thread pool: it must run on the thread whose namespace it is to see. */
  open(path: string, flags: number): number;
  /**
   * Moves the calling thread alone into a namespace. On the main thread the caller must come back before it returns
   * to the event loop, or all that runs next is in the wrong namespace.
   */
  setns(descriptor: number, type: number): void;
  close(descriptor: number): void;
  /**
   * As `close`, by a thread of the pool, for what the kernel takes its time to let go: for a packet socket it waits until
   * every processor has passed by (packet_release, 20 ms), and the event loop would stand still. The descriptor is not
   * the caller's any more.
   */
  closeLater(descriptor: number): void;
  /** Device control; `argument` is a structure in bytes, read and written by the kernel. */
  ioctl(descriptor: number, request: number, argument: Uint8Array): void;
  /** Device control whose argument is a number. */
  ioctlValue(descriptor: number, request: number, value: number): void;
  setsockopt(descriptor: number, level: number, option: number, value: Uint8Array): void;
  /** Reads a clock into a struct timespec. */
  clockGettime(clock: number, time: Uint8Array): void;
  /** Returns an option that is a number. */
  getsockopt(descriptor: number, level: number, option: number): number;
  /** Returns a file descriptor that counts what is written to it. */
  eventfd(initial: number, flags: number): number;
  /** Returns the bytes written. */
  write(descriptor: number, data: Uint8Array): number;
  /** Where the bytes lie, for structures that point to others; good while the view is referenced. */
  addressOf(view: Uint8Array): bigint;
  /** The index of an interface in the calling thread's namespace, or 0 where there is none of that name. */
  ifNameToIndex(name: string): number;
};

let loaded: Libc | undefined;

/** The bindings, loaded at the first call: `--help` and the command line never pay for koffi. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

type Native = (...args: readonly unknown[]) => number;
type Done = (error: unknown, result: number) => void;

function load(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load('libc.so.6');
  const call = (name: string, prototype: string): Native => {
    const native = library.func(prototype) as Native;
    return (...args) => {
      const result = native(...args);
      if (result === -1) throw new SystemCallError(name, koffi.errno());
      return result;
    };
  };
  const socket = call('socket', 'int socket(int domain, int type, int protocol)');
  const bind = call('bind', 'int bind(int fd, const void *address, uint32_t length)');
  const connect = call('connect', 'int connect(int fd, const void *address, uint32_t length)');
  // koffi knows no ssize_t.
  const sendtoPrototype =
    'intptr_t sendto(int fd, const void *data, size_t length, int flags, const void *address, uint32_t size)';
  const sendto = call('sendto', sendtoPrototype);
  const sendtoAsync = library.func(sendtoPrototype);
  const recvPrototype = 'intptr_t recv(int fd, _Out_ void *data, size_t length, int flags)';
  const recv = call('recv', recvPrototype);
  const recvAsync = library.func(recvPrototype);
  const recvfrom = call(
    'recvfrom',
    'intptr_t recvfrom(int fd, _Out_ void *data, size_t length, int flags, _Out_ void *address, _Inout_ uint32_t *size)',
  );
  const open = call('open', 'int open(const char *path, int flags, ...)');
  const setns = call('setns', 'int setns(int fd, int type)');
  const closePrototype = 'int close(int fd)';
  const close = call('close', closePrototype);
  const closeAsync = library.func(closePrototype);
  const ioctl = call('ioctl', 'int ioctl(int fd, unsigned long request, _Inout_ void *argument)');
  const ioctlValue = call('ioctl', 'int ioctl(int fd, unsigned long request, unsigned long value)');
  const clockGettime = call('clock_gettime', 'int clock_gettime(int clock, _Out_ void *time)');
  const eventfd = call('eventfd', 'int eventfd(unsigned int initial, int flags)');
  const write = call('write', 'intptr_t write(int fd, const void *data, size_t length)');
  const ifNameToIndex = call('if_nametoindex', 'unsigned int if_nametoindex(const char *name)');
  return {
    socket: (domain, type, protocol) => socket(domain, type, protocol),
    connect: (descriptor, address) => void connect(descriptor, address, address.byteLength),
    bind: (descriptor, address) => void bind(descriptor, address, address.byteLength),
    sendto: (descriptor, data, flags, address) =>
      sendto(descriptor, data, data.byteLength, flags, address, address.byteLength),
    sendtoLater: (descriptor, data, flags, address) =>
      later('sendto', koffi.errno, (done) =>
        sendtoAsync.async(descriptor, data, data.byteLength, flags, address, address.byteLength, done),
      ),
    recv: (descriptor, data, flags) => unlessEmpty(() => recv(descriptor, data, data.byteLength, flags)),
    recvLater: (descriptor, data, flags) =>
      later('recv', koffi.errno, (done) => recvAsync.async(descriptor, data, data.byteLength, flags, done)),
    recvfrom: (descriptor, data, flags, address) => {
      const size = [address.byteLength];
      const length = unlessEmpty(() => recvfrom(descriptor, data, data.byteLength, flags, address, size));
      return length === undefined ? undefined : { length, addressLength: size[0] ?? 0 };
    },
    open: (path, flags) => open(path, flags),
    setns: (descriptor, type) => void setns(descriptor, type),
    close: (descriptor) => void close(descriptor),
    closeLater: (descriptor) => void closeAsync.async(descriptor, () => {}),
    ioctl: (descriptor, request, argument) => void ioctl(descriptor, request, argument),
    ioctlValue: (descriptor, request, value) => void ioctlValue(descriptor, request, value),
    ...socketOptions(call),
    clockGettime: (clock, time) => void clockGettime(clock, time),
    eventfd: (initial, flags) => eventfd(initial, flags),
    write: (descriptor, data) => write(descriptor, data, data.byteLength),
    addressOf: (view) => koffi.address(view),
    ifNameToIndex: (name) => ifNameToIndex(name),
  };
}

function socketOptions(call: (name: string, prototype: string) => Native): Pick<Libc, 'setsockopt' | 'getsockopt'> {
  const set = call('setsockopt', 'int setsockopt(int fd, int level, int option, const void *value, uint32_t size)');
  const get = call(
    'getsockopt',
    'int getsockopt(int fd, int level, int option, _Out_ int *value, _Inout_ uint32_t *size)',
  );
  return {
    setsockopt: (descriptor, level, name, value) => void set(descriptor, level, name, value, value.byteLength),
    getsockopt: (descriptor, level, name) => {
      const value = [0];
      get(descriptor, level, name, value, [4]);
      return value[0] ?? 0;
    },
  };
}

/** A call by a thread of the pool, as a promise. */
function later(name: string, errno: () => number, start: (done: Done) => unknown): Promise<number> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error === null && result !== -1) resolve(result);
      else reject(error === null ? new SystemCallError(name, errno()) : (error as Error));
    });
  });
}

function unlessEmpty(receive: () => number): number | undefined {
  try {
    return receive();
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === EAGAIN) return undefined;
    throw error;
  }
}
