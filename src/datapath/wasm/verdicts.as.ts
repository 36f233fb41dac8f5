// Why a frame makes no packet; `VERDICTS` in segmenter.ts.
export const TRUNCATED: i32 = -1;
export const MALFORMED: i32 = -2;
export const TOO_BIG: i32 = -3;
export const NESTED: i32 = -4;
/** no room left for this one: send what is there, `reset`, and try again */
export const FULL: i32 = -5;
