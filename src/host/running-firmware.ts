import { readFileSync } from 'node:fs';

/** Not the link in /etc, which an operator may have replaced. */
const RELEASE = '/usr/lib/os-release';
const ARGUMENTS = '/proc/cmdline';

/** The slot that the boot loader started and the image's version in it; undefined: this machine is not an image of ours. */
export function runningFirmware(otherwise: string): { readonly slot: string; readonly version: string } | undefined {
  const slot = slotIn(readText(ARGUMENTS));
  return slot === undefined ? undefined : { slot, version: versionIn(readText(RELEASE)) ?? otherwise };
}

/** Of the kernel's arguments. */
export function slotIn(argumentLine: string): string | undefined {
  return /(?:^|\s)rauc\.slot=([A-Za-z0-9]{1,16})(?=\s|$)/.exec(argumentLine)?.[1];
}

/** Of os-release(5): a value may stand in quotes. */
export function versionIn(release: string): string | undefined {
  return /^IMAGE_VERSION=["']?([0-9A-Za-z.+-]{1,64})["']?$/m.exec(release)?.[1];
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
