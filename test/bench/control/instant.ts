/** Milliseconds of the machine's monotonic clock, the same in every process: what one notes can be compared in another. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;
