import { Firmware, type FirmwareOptions } from '../../../src/firmware/firmware.ts';
import { decodeMemory, encodeMemory, type Memory } from '../../../src/firmware/memory.ts';
import type { Bundle, Slots } from '../../../src/firmware/ports.ts';
import type { PeerStatus } from '../../../src/model/status.ts';
import { LinkspanError } from '../../../src/service/errors.ts';
import { PEER } from './status.ts';

export const BOARD = 'linkspan-qemu-virt';

/** A bundle as a test means it; what is `wrong` with it is what the updater finds. */
export type TestBundle = Partial<Bundle> & { readonly wrong?: string; readonly breaks?: boolean };

/** A gateway with two slots, in memory; the disk and the slots outlive a restart, the rest does not. */
export class Machine {
  running = { slot: 'A', version: '1.0.0' };
  other: string | null = null;
  primary = 'A';
  boot = 1;
  note = '';
  verdict = '';
  kept = 0;
  disk: 'well' | 'full' = 'well';
  net: 'up' | 'down' = 'up';
  updater: 'there' | 'away' = 'there';
  broker = true;
  ready = true;
  calm = true;
  peers: PeerStatus[] = [PEER];
  restarts = 0;
  now = 0;
  readonly bundles = new Map<string, TestBundle>();
  readonly told: string[] = [];
  readonly done: string[] = [];
  /** resolved when the test lets the updater go on; undefined: at once */
  gate: Promise<void> | undefined;
  inspection: Promise<void> | undefined;
  #firmware: Firmware | undefined;

  get memory(): Memory {
    return decodeMemory(this.note);
  }

  get slots(): Slots {
    const slot = this.running.slot === 'A' ? 'B' : 'A';
    return { compatible: BOARD, other: { name: slot === 'A' ? 'rootfs.0' : 'rootfs.1', slot, version: this.other } };
  }

  start(): Firmware {
    this.#firmware?.stop();
    this.#firmware = new Firmware(this.#options());
    this.#firmware.start();
    return this.#firmware;
  }

  /** As the boot loader does it: into the slot that it was told of, or back where that one does not come up. */
  restart(into: 'primary' | 'back' = 'primary'): Firmware {
    this.boot += 1;
    const { slot, version } = this.running;
    if (into === 'back') this.primary = slot;
    if (this.primary !== slot) {
      this.running = { slot: this.primary, version: this.other ?? '' };
      this.other = version;
    }
    return this.start();
  }

  stop(): void {
    this.#firmware?.stop();
  }

  #options(): FirmwareOptions {
    return {
      running: this.running,
      updater: {
        slots: async () => {
          if (this.updater === 'away') throw failure('unavailable', 'it does not answer');
          return this.slots;
        },
        inspect: async (file) => {
          await this.inspection;
          return this.#inspect(file);
        },
        install: (file, onProgress) => this.#install(file, onProgress),
        activate: async (name) => {
          this.done.push(`activate ${name}`);
          this.primary = name === 'rootfs.1' ? 'B' : 'A';
        },
        restart: async () => void (this.restarts += 1),
      },
      downloads: {
        fetch: async ({ url }, onProgress) => {
          this.done.push(`fetch ${url}`);
          onProgress(50);
          await this.gate;
          if (this.net === 'down') throw failure('download_failed', 'no way there');
          return url;
        },
        clear: (keep) => void this.done.push(keep ? `keep ${keep.url}` : 'clear'),
      },
      notes: {
        load: () => this.note,
        save: (text) => {
          if (this.disk === 'full') throw new Error('ENOSPC');
          this.note = text;
        },
        verdict: () => this.verdict,
        clearVerdict: () => void (this.verdict = ''),
        keepState: () => {
          if (this.disk === 'full') throw new Error('ENOSPC');
          this.kept += 1;
        },
      },
      clock: { now: () => 0, monotonic: () => this.now },
      boot: `boot-${this.boot}`,
      vitals: () => ({ ready: this.ready, broker: this.broker, peers: this.peers }),
      calm: () => this.calm,
      event: (type, _, message) => void this.told.push(`${type}: ${message}`),
      onChange: () => {},
    };
  }

  #inspect(file: string): Bundle {
    const bundle = this.bundles.get(file);
    if (bundle === undefined) throw failure('unreadable', 'no such file');
    if (bundle.wrong !== undefined) throw failure(bundle.wrong, 'the updater does not like it');
    return { compatible: BOARD, version: '1.1.0', ...bundle };
  }

  async #install(file: string, onProgress: (percent: number) => void): Promise<void> {
    this.done.push(`install ${file}`);
    this.other = null;
    onProgress(46);
    await this.gate;
    const { version = '1.1.0', breaks } = this.bundles.get(file) ?? {};
    if (breaks) throw failure('install_failed', 'the slot cannot be written');
    this.other = version;
  }
}

/** A note that another version may have left. */
export function noteOf(memory: object): string {
  return encodeMemory(memory);
}

function failure(code: string, reason: string): LinkspanError {
  return new LinkspanError({ code, object: 'x', reason, remedy: 'mend it' });
}
