import type { Problem } from '../../model/problem.ts';
import { asObject, BadRequest, type Fields, parseObject } from '../request/request-body.ts';

/** What an operator asks over the broker: `{ "method", "params", "deadline" }`, the last two optional. */
export type RpcRequest = {
  readonly method: string;
  readonly params: Fields;
  /** seconds since 1970 from which on nobody waits for the answer */
  readonly deadline: number | undefined;
};

/** What is answered: the result, or what was wrong, in the words of a refused document. */
export type RpcAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly errors: readonly Problem[] };

/** The longest request, bytes: a patch is no larger than the document that it makes. */
export const REQUEST_MAX = 1024 * 1024;

export function refused(code: Problem['code'], message: string, path = ''): RpcAnswer {
  return { ok: false, errors: [{ path, code, message }] };
}

/** Reads a request from bytes that anybody may have written. @throws BadRequest */
export function parseRequest(payload: Uint8Array): RpcRequest {
  const fields = parseObject(payload);
  const { method, params = {}, deadline } = fields;
  if (typeof method !== 'string') throw new BadRequest('method: missing; give it as a string, "peers" say');
  if (deadline !== undefined && !(Number.isSafeInteger(deadline) && Number(deadline) >= 0))
    throw new BadRequest('deadline: not a number of seconds since 1970; give one, or leave it out');
  return { method, params: asObject(params, 'params'), deadline: deadline as number | undefined };
}
