import { join } from 'node:path';

/** What is plugged into a network port of the gateway; frames go as datagrams between two UDP ports of this machine. */
export type Cable = { readonly local: number; readonly remote: number };

export type Board = {
  readonly emulator: readonly string[];
  readonly uboot: string;
  readonly disk: string;
  /** for the sockets of its console, its shell and QEMU's monitor */
  readonly folder: string;
  /** a port of this machine that leads to the status page */
  readonly httpPort: number;
  readonly wan?: Cable;
  readonly plant?: Cable;
  /** what its clock says when it is switched on; default: the time of day */
  readonly clock?: string;
  /** a state saved earlier, to go on from instead of starting */
  readonly from?: string;
};

/** The names that the gateway's kernel gives its ports, by their places on the board. */
export const PORTS = { internet: 'enp0s1', wan: 'enp0s2', plant: 'enp0s3' } as const;
export type Port = keyof typeof PORTS;

/** What the image promises to be content with. */
const MEMORY_MB = 1024;
/** The status page's port on the gateway. */
const STATUS_PORT = 8479;

/** The command that switches it on; it waits for the monitor's `cont`. The second console is for a root shell. */
export function boardCommand(board: Board): readonly string[] {
  const { emulator, uboot, disk, folder, clock, from } = board;
  return [
    // However this process ends, the kernel ends QEMU with it.
    ['setpriv', '--pdeathsig', 'KILL', '--', ...emulator],
    // In software: the lab runs in machines that are virtual themselves, and of another kind.
    ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max,pauth-impdef=on', '-smp', '2', '-m', String(MEMORY_MB)],
    // Without ACPI, or the power button would be an ACPI event, which a system started by device tree does not get.
    ['-M', 'virt,acpi=off', '-nodefaults', '-no-user-config', '-display', 'none', '-S'],
    ['-bios', uboot],
    ['-rtc', `base=${clock ?? 'utc'}`],
    ...socket(folder, 'console'),
    ['-serial', 'chardev:console'],
    ...socket(folder, 'shell'),
    ['-device', 'virtio-serial-pci,addr=0x5', '-device', 'virtconsole,chardev=shell'],
    ...socket(folder, 'monitor'),
    ['-mon', 'chardev=monitor,mode=control'],
    ['-drive', `if=none,id=disk,file=${disk},format=qcow2,discard=unmap`],
    ['-device', 'virtio-blk-pci,drive=disk,addr=0x4'],
    ['-device', 'i6300esb,addr=0x6', '-action', 'watchdog=reset'],
    ['-device', 'virtio-rng-pci,addr=0x7', '-device', 'qemu-xhci,id=usb,addr=0x8'],
    ...ports(board),
    ...(from === undefined ? [] : [['-loadvm', from]]),
  ].flat();
}

function socket(folder: string, name: string): readonly string[][] {
  return [['-chardev', `socket,id=${name},path=${join(folder, name)},server=on,wait=off`]];
}

function ports({ httpPort, wan, plant }: Board): readonly string[][] {
  const internet = `user,id=internet,hostfwd=tcp:127.0.0.1:${httpPort}-:${STATUS_PORT}`;
  return [
    port('internet', internet, 1, httpPort),
    ...(wan ? [port('wan', cable('wan', wan), 2, httpPort)] : []),
    ...(plant ? [port('plant', cable('plant', plant), 3, httpPort)] : []),
  ];
}

const end = (side: string, at: number): string => `${side}.type=inet,${side}.host=127.0.0.1,${side}.port=${at}`;

function cable(name: string, { local, remote }: Cable): string {
  return `dgram,id=${name},${end('local', local)},${end('remote', remote)}`;
}

function port(name: string, netdev: string, place: number, httpPort: number): string[] {
  // Its own among all that run on this machine, as the port is.
  const own = httpPort.toString(16).padStart(4, '0').replace(/^(..)/, '$1:');
  const mac = `52:54:00:${own}:0${place}`;
  // Without its ROM: U-Boot would offer to boot from the network.
  return [
    '-netdev',
    netdev,
    '-device',
    `virtio-net-pci,netdev=${name},id=${name}-port,mac=${mac},addr=0x${place},romfile=`,
  ];
}
