/** What the updater says of this machine. */
export type Slots = {
  /** the board that bundles must be for */
  readonly compatible: string;
  /** the slot that does not run; undefined: there is none */
  readonly other: OtherSlot | undefined;
};

/** `name` is the updater's, `slot` the boot loader's; `version` null: nothing whole is in it. */
export type OtherSlot = { readonly name: string; readonly slot: string; readonly version: string | null };

/** What a bundle says of itself, once its signature was found right. */
export type Bundle = { readonly compatible: string; readonly version: string };

export type Progress = (percent: number) => void;

/** The updater and the boot loader. All of them throw LinkspanError. */
export interface Updater {
  slots(): Promise<Slots>;
  /** @throws `wrong_signature` or `unreadable` where the bundle is never to be tried again */
  inspect(file: string): Promise<Bundle>;
  install(file: string, onProgress: Progress): Promise<void>;
  /** Has the boot loader try that slot at the next start. */
  activate(name: string): Promise<void>;
  restart(): Promise<void>;
}

/** A bundle on the network; `version` where a document names it. */
export type Remote = { readonly url: string; readonly version?: string };

/** Where bundles from the network are kept until they are installed. */
export interface Downloads {
  /** Goes on where an earlier call was cut off. Returns the whole file. */
  fetch(remote: Remote, onProgress: Progress, signal: AbortSignal): Promise<string>;
  /** Forgets all but that one's. */
  clear(keep?: Remote): void;
}

/** What is on the disk beside the state; on it when a call returns. */
export interface Notes {
  /** empty: nothing is */
  load(): string;
  save(text: string): void;
  /** what the judge of a slot's trial has left; empty: nothing */
  verdict(): string;
  clearVerdict(): void;
  /** Keeps a copy of the state for the version that runs now, since a newer one may change its form. */
  keepState(): void;
}
