import { join } from 'node:path';

export type Guest = {
  /** the folder that guest.sh fills */
  readonly system: string;
  /** what this boot brings: `main`, a script for /bin/sh */
  readonly boot: string;
  /** lies at the same path inside */
  readonly checkout: string;
};

/** A few hundred MB for a service, a broker and a capture; changed files are held in it too. */
const MEMORY_MB = 2048;

// Nobody attacks it, and each of the last five costs time under emulation.
const KERNEL =
  'console=ttyS0 panic=-1 audit=0 apparmor=0 quiet mitigations=off nokaslr tsc=reliable no_timer_check'.split(' ');

/** The command that boots it; `device`: QEMU's arguments for the way in. What its kernel says goes to `boot`/console. */
export function qemuCommand(guest: Guest, device: readonly string[]): readonly string[] {
  return [
    // However this process ends, the kernel ends QEMU with it.
    ['setpriv', '--pdeathsig', 'KILL', '--', 'qemu-system-x86_64'],
    // In software: the lab runs in machines that are virtual themselves.
    ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max', '-smp', '2', '-m', String(MEMORY_MB)],
    ['-M', 'pc,usb=off', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ['-kernel', join(guest.system, 'vmlinux'), '-initrd', join(guest.system, 'initrd')],
    ['-append', [...KERNEL, `checkout=${guest.checkout}`].join(' ')],
    ['-serial', `file:${join(guest.boot, 'console')}`],
    share('root', join(guest.system, 'root')),
    share('checkout', guest.checkout),
    share('boot', guest.boot),
    ['-device', 'virtio-serial-pci', ...device],
  ].flat();
}

function share(tag: string, path: string): readonly string[] {
  const files = `local,id=${tag},path=${path},security_model=none,readonly=on,multidevs=remap`;
  return ['-fsdev', files, '-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`];
}
