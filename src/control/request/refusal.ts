import type { Problem, ProblemCode } from '../../model/problem.ts';

export type Refusal = {
  readonly ok: false;
  readonly reason: 'not_found' | 'refused' | 'failed';
  readonly problem: Problem;
};

export function refuse(reason: Refusal['reason'], code: ProblemCode, message: string): Refusal {
  return { ok: false, reason, problem: { path: '', code, message } satisfies Problem };
}
