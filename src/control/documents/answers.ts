import type { Refusal } from '../request/refusal.ts';
import type { Change } from '../../document/index.ts';
import type { Problem } from '../../model/problem.ts';
import type { ConfigState } from '../../model/status.ts';

/** To a document that was sent. */
export type Submission =
  | { readonly accepted: true; readonly version: number }
  | { readonly accepted: false; readonly problems: readonly Problem[] };

/** To a document that is only asked about. */
export type Comparison =
  | {
      readonly ok: true;
      readonly running: number | null;
      readonly on_trial: boolean;
      readonly changes: readonly Change[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** `version`: of the document that the answer is about; null: none runs any more. */
export type Decision = { readonly ok: true; readonly version: number | null; readonly state: ConfigState } | Refusal;
