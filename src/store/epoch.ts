import type { Database } from 'better-sqlite3';

/** The gateway's epoch: how often it has started, by which peers tell its newer statements from its older ones. */
export type EpochRepository = {
  /** Counts one start; returns the new epoch (1 at the first start). */
  bumpEpoch(): number;
  /** Lifts the epoch to `atLeast` where it is lower, as after a lost state; returns the epoch that holds. */
  raiseEpoch(atLeast: number): number;
};

export function epochRepository(database: Database): EpochRepository {
  const read = database.prepare<[], number>("SELECT value FROM meta WHERE key = 'epoch'").pluck();
  const write = database.prepare<[number]>(
    "INSERT INTO meta VALUES ('epoch', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  );
  const raiseEpoch = database.transaction((atLeast: number) => {
    if (!Number.isSafeInteger(atLeast)) throw new RangeError(`epoch ${atLeast} is no whole number`);
    const held = read.get() ?? 0;
    if (held >= atLeast) return held;
    write.run(atLeast);
    return atLeast;
  });
  const bumpEpoch = database.transaction(() => raiseEpoch((read.get() ?? 0) + 1));
  return { bumpEpoch, raiseEpoch };
}
