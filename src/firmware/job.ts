import type { FirmwareState, FirmwareWish } from '../model/firmware.ts';
import type { Place } from './memory.ts';
import type { Downloads, Remote, Slots, Updater } from './ports.ts';
import { isOlder } from './version.ts';
import { FirmwareFailure, notWritten, older, wrongBoard, wrongVersion } from './words.ts';

/** Where a bundle is: at a URL, or in a file that the service sees. */
export type Source = Remote | { readonly file: string };

export type JobOptions = {
  readonly updater: Updater;
  readonly downloads: Downloads;
  readonly running: Place;
  readonly source: Source;
  /** the document's, that it is done for; undefined: somebody brought it */
  readonly wish: FirmwareWish | undefined;
  readonly onChange: () => void;
};

/** A bundle that may be installed. */
export type Checked = { readonly file: string; readonly version: string; readonly slots: Slots };

/** One bundle's way into the other slot. */
export class Job {
  state: Extract<FirmwareState, 'downloading' | 'installing'>;
  /** whole percent */
  progress = 0;
  target: string | null;
  readonly #options: JobOptions;
  readonly #abort = new AbortController();

  constructor(options: JobOptions) {
    this.#options = options;
    this.state = 'url' in options.source ? 'downloading' : 'installing';
    this.target = options.wish?.version ?? null;
  }

  get wish(): FirmwareWish | undefined {
    return this.#options.wish;
  }

  get aborted(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Ends a download; what is being installed goes on to its end. */
  abort(): void {
    this.#abort.abort();
  }

  /** Has the bundle here and looks at it. @throws FirmwareFailure, LinkspanError */
  async check(): Promise<Checked> {
    const { source, downloads, updater, running, wish } = this.#options;
    const file = 'file' in source ? source.file : await downloads.fetch(source, this.#tell, this.#abort.signal);
    const slots = await updater.slots();
    const bundle = await updater.inspect(file);
    this.target = bundle.version;
    if (bundle.compatible !== slots.compatible) throw new FirmwareFailure(wrongBoard(bundle, slots.compatible));
    if (wish && bundle.version !== wish.version) throw new FirmwareFailure(wrongVersion(bundle, wish.version));
    if (isOlder(bundle.version, running.version)) throw new FirmwareFailure(older(bundle.version, running));
    return { file, version: bundle.version, slots };
  }

  /** Writes it into the other slot; returns how the slots are then. @throws FirmwareFailure, LinkspanError */
  async install({ file, version }: Checked): Promise<Slots> {
    const { updater, downloads, onChange } = this.#options;
    this.state = 'installing';
    this.progress = 0;
    onChange();
    await updater.install(file, this.#tell);
    const slots = await updater.slots();
    if (slots.other?.version !== version) throw new FirmwareFailure(notWritten(version));
    downloads.clear();
    return slots;
  }

  readonly #tell = (percent: number): void => {
    const whole = Math.floor(percent);
    if (whole === this.progress) return;
    this.progress = whole;
    this.#options.onChange();
  };
}
