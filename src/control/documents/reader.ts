import type { Refusal } from '../request/refusal.ts';
import { type ParsedDocument, type ParseResult, parseDesired } from '../../document/index.ts';
import type { DesiredState } from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import type { EventSink } from '../../model/status.ts';
import * as say from './problems.ts';
import { type DocumentStore, KEPT_MAX, type KeptDocument } from './store.ts';

export type ReaderOptions = {
  readonly gateway: string;
  readonly store: DocumentStore;
  /** names of the host's interfaces, or undefined before the first look */
  readonly interfaces: () => ReadonlySet<string> | undefined;
  readonly event: EventSink;
};

export type Running = { readonly version: number; readonly hash: string; readonly state: DesiredState };

/** Reads documents: those that come, and those that are kept. */
export class DocumentReader {
  readonly #options: ReaderOptions;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** One that comes. */
  parse(bytes: Uint8Array, running: Running | undefined): ParseResult {
    const { gateway, interfaces } = this.#options;
    const result = parseDesired(bytes, { gateway, interfaces: interfaces() });
    if (result.ok || result.version === undefined || result.version !== running?.version) return result;
    // A broker gives the running document again at each connection: an uplink that is gone by now does not make it wrong.
    const again = this.read(bytes);
    return again.ok && again.document.hash === running.hash ? again : result;
  }

  /** One that was accepted before, whatever has become of the host's interfaces. */
  read(body: string | Uint8Array): ParseResult {
    return parseDesired(Buffer.from(body), { gateway: this.#options.gateway, interfaces: undefined });
  }

  /** What is wrong with a kept document that a newer version of this program has accepted; undefined: nothing. */
  whyNot(version: number): readonly Problem[] | undefined {
    const result = this.read(this.#options.store.get(version)?.body ?? '');
    return result.ok ? undefined : result.problems;
  }

  /** The document that ran, or the last known good where this version cannot read that. */
  restore(): { readonly running: Running | undefined; readonly isUnreadable: boolean } {
    const { store, event } = this.#options;
    let isUnreadable = false;
    for (const stored of [store.running(), store.lastKnownGood()]) {
      if (stored === undefined) continue;
      const { version, hash } = stored;
      const result = this.read(stored.body);
      if (result.ok) return { running: { version, hash, state: result.document.state }, isUnreadable };
      isUnreadable = true;
      const why = result.problems[0]?.message ?? 'invalid';
      event('config.unreadable', 'error', `stored document ${version} cannot be used: ${why}`);
    }
    return { running: undefined, isUnreadable };
  }

  /** The applied document of that version; undefined: the last one before the one that runs. */
  applied(version: number | undefined, running: number | undefined): ParsedDocument | Refusal {
    const found = version === undefined ? this.#appliedBefore(running) : this.#options.store.get(version);
    if (found === undefined) return version === undefined ? say.nothingBefore() : say.noSuchVersion(version);
    if (found.state !== 'applied') return say.neverApplied(found.version, found.state);
    const result = this.read(found.body);
    return result.ok ? result.document : say.unreadable(found.version, result.problems[0]?.message ?? 'invalid');
  }

  #appliedBefore(running = Number.POSITIVE_INFINITY): KeptDocument | undefined {
    const older = this.#options.store.history(KEPT_MAX).filter(({ version }) => version < running);
    return older.find(({ state }) => state === 'applied');
  }
}
