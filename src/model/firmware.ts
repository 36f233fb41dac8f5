/** The firmware that a document asks for. */
export type FirmwareWish = {
  /** of the bundle, http or https */
  readonly url: string;
  readonly version: string;
  /** `manual`: restarting into it, which stops the line, is asked for on its own */
  readonly activate: 'manual' | 'at_once';
};

/**
 * `installed`: waits in the other slot for its activation; `proving`: runs and is not kept yet; `committed` and
 * `rolled_back`: what became of the last one that was activated; `refused`: never tried again by itself; `failed`: tried
 * again, where a document asks for it.
 */
export type FirmwareState =
  | 'idle'
  | 'downloading'
  | 'installing'
  | 'installed'
  | 'activating'
  | 'proving'
  | 'committed'
  | 'rolled_back'
  | 'refused'
  | 'failed';

export type FirmwareErrorCode =
  // refused
  | 'wrong_signature'
  | 'wrong_board'
  | 'wrong_version'
  | 'older_version'
  | 'unreadable'
  | 'rolled_back'
  | 'nothing_installed'
  | 'busy'
  // failed
  | 'download_failed'
  | 'no_space'
  | 'install_failed'
  | 'activate_failed'
  | 'unavailable'
  // rolled back
  | 'unhealthy';

export type FirmwareError = { readonly code: FirmwareErrorCode; readonly message: string };

export type FirmwareStatus = {
  /** that runs */
  readonly version: string;
  /** that it runs from */
  readonly slot: string;
  readonly state: FirmwareState;
  /** percent, while downloading or installing */
  readonly progress: number | null;
  /** the version that `state` is about; null: none, or not known yet */
  readonly target_version: string | null;
  readonly error: FirmwareError | null;
  /** what must be seen before the running one is kept, in words */
  readonly waiting_for: readonly string[];
};
