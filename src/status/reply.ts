import type { ServerResponse } from 'node:http';

/** A whole answer. */
export type Reply = {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** An answer without an end: `open` writes to the response from now on and stops when the response closes. */
export type StreamReply = { readonly type: string; readonly open: (response: ServerResponse) => void };

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Refused',
  413: 'Body Too Large',
  421: 'Misdirected Request',
  422: 'Document Rejected',
  500: 'Failed',
  503: 'Unavailable',
};

export function json(value: unknown, status = 200): Reply {
  return { status, type: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` };
}

/**
 * An error as RFC 9457 has it: `{ type, title, status, detail }`, plus the members of `extra`. `detail` names the
 * object and the remedy.
 */
export function problem(status: number, detail: string, extra: Readonly<Record<string, unknown>> = {}): Reply {
  const document = { type: 'about:blank', title: TITLES[status] ?? 'Error', status, detail, ...extra };
  return { ...json(document, status), type: 'application/problem+json' };
}
