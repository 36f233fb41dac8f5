import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { BootTime } from '../model/dhcp.ts';

let boot: string | undefined;

/** Now, by the machine's own time: a gateway without a battery for its clock lives in 1970 until it meets a time server. */
export function bootTime(): BootTime {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return { boot, ms: uptime() * 1000 };
}
