import type { Problem } from '../model/problem.ts';

type Problems = ReadonlyMap<string, Problem>;

/** The workloads' interfaces that have come to fail since the look before: each failure is told once, however often tried. */
export function newFailures(before: Problems | undefined, now: Problems): readonly Problem[] {
  const failed = [...now].filter(([object, { code }]) => object.startsWith('endpoint/') && code === 'failed');
  return failed.filter(([object]) => before?.get(object)?.code !== 'failed').map(([, problem]) => problem);
}
