import { dirname, join } from 'node:path';
import { type Refusal, refuse } from '../control/request/refusal.ts';
import type { FirmwareControl } from '../control/socket/firmware-routes.ts';
import { Firmware, type FirmwareOptions } from '../firmware/firmware.ts';
import type { Notes, Updater } from '../firmware/ports.ts';
import { FirmwareFailure, isRefusal } from '../firmware/words.ts';
import { bootTime } from '../host/boot-time.ts';
import { BundleDownloads } from '../host/bundle-downloads.ts';
import { markFactoryReset } from '../host/factory-reset.ts';
import { raucActivate, raucInfo, raucInstall, raucStatus } from '../host/rauc.ts';
import { restartMachine } from '../host/restart.ts';
import { runningFirmware } from '../host/running-firmware.ts';
import { readNote, removeNote, writeNote } from '../host/state-notes.ts';
import { systemClock } from '../service/clock.ts';
import type { Store } from '../store/store.ts';

/** Beside the state file. The trial's judge writes the second. */
const NOTE = 'update.json';
const VERDICT = 'trial.json';
const DOWNLOADS = 'firmware';

export type FirmwareHooks = Pick<FirmwareOptions, 'vitals' | 'calm' | 'event' | 'onChange'>;

/** What changes the firmware; undefined where this machine is no image of ours. `version`: of this program. */
export function createFirmware(
  statePath: string,
  store: Store,
  version: string,
  hooks: FirmwareHooks,
): Firmware | undefined {
  const running = runningFirmware(version);
  if (running === undefined) return undefined;
  const directory = dirname(statePath);
  return new Firmware({
    ...hooks,
    running,
    updater: updaterFor(running.slot),
    downloads: new BundleDownloads(join(directory, DOWNLOADS)),
    notes: notesIn(directory, store),
    clock: systemClock,
    boot: bootTime().boot,
  });
}

function updaterFor(booted: string): Updater {
  return {
    slots: async () => {
      const { compatible, slots } = await raucStatus();
      const other = slots.find(({ bootname }) => bootname !== booted);
      return { compatible, other: other && { name: other.name, slot: other.bootname, version: other.version } };
    },
    inspect: raucInfo,
    install: raucInstall,
    activate: raucActivate,
    restart: restartMachine,
  };
}

function notesIn(directory: string, store: Store): Notes {
  return {
    load: () => readNote(directory, NOTE),
    save: (text) => writeNote(directory, NOTE, text),
    verdict: () => readNote(directory, VERDICT),
    clearVerdict: () => removeNote(directory, VERDICT),
    keepState: () => store.keep(),
  };
}

/** What the control socket and the broker may ask of it. */
export function firmwareControl(firmware: Firmware | undefined): FirmwareControl {
  return {
    install: async (source, again) =>
      firmware ? answered(async () => ({ ok: true, ...(await firmware.install(source, again)) })) : UNAVAILABLE,
    activate: async (version) =>
      firmware ? answered(async () => ({ ok: true, version: await firmware.activate(version) })) : UNAVAILABLE,
    reset: async () => {
      if (firmware === undefined || !markFactoryReset()) return NO_DATA;
      await restartMachine();
      return { ok: true };
    },
  };
}

async function answered<T>(act: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof FirmwareFailure)) throw error;
    const refused = isRefusal(error.error);
    return refuse(refused ? 'refused' : 'failed', refused ? 'firmware_refused' : 'firmware_failed', error.message);
  }
}

const UNAVAILABLE = refuse(
  'refused',
  'firmware_unavailable',
  "this gateway's firmware is not Linkspan's to change: it runs no image with two slots; use its package manager",
);
const NO_DATA = refuse(
  'refused',
  'firmware_unavailable',
  'this gateway has no data partition to forget; remove the state by hand: linkspand --cleanup, then its state file',
);
