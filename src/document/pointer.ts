import type { Problem, ProblemCode } from '../model/problem.ts';

const SHOWN_MAX = 200;

/** A JSON pointer (RFC 6901) from its keys. */
export function pointer(...keys: readonly (string | number)[]): string {
  return keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** A JSON pointer as people write it, e.g. `spec.networks.line1.vni`; cut short where it is very long. */
export function spoken(path: string): string {
  if (path === '') return 'the document';
  const keys = path.slice(1).split('/');
  return shortened(keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~')).join('.'));
}

/** A problem of what stands at `path`; the message begins with that place. */
export function problem(path: string, code: ProblemCode, reason: string): Problem {
  return { path, code, message: `${spoken(path)} ${reason}` };
}

/** Text from a document, fit for a message: a document may be a mebibyte of one key. */
export function shortened(text: string): string {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
