import type { IncomingHttpHeaders } from 'node:http';
import { openApi } from './openapi.ts';
import { json, problem, type Reply, type StreamReply } from './reply.ts';

export type ApiRequest = {
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** empty for GET */
  readonly body: Uint8Array;
};

export type Handler = (request: ApiRequest) => Reply | StreamReply | Promise<Reply>;

/** One line of the HTTP interface; `summary`, `produces` and `accepts` (a JSON Schema) also make its description. */
export type Route = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly summary: string;
  readonly produces: string;
  readonly accepts?: object;
  readonly handle: Handler;
};

export type Router = (method: string, path: string) => Route | Reply;

/** A lookup over the routes, with `/openapi.json` describing exactly them: what is found, or the 404 or 405 to answer. */
export function createRouter(routes: readonly Route[]): Router {
  const table = [...routes, describing(routes)];
  const methods = allowed(table);
  return (method, path) => {
    const wanted = method === 'HEAD' ? 'GET' : method;
    const here = table.filter((route) => route.path === path);
    const found = here.find((route) => route.method === wanted);
    if (found) return found;
    if (here.length > 0) return methodRefused(method, path, allowed(here));
    if (!methods.includes(method)) return methodRefused(method, path, methods);
    return problem(404, `${path}: no such resource; GET /openapi.json lists them`);
  };
}

function describing(routes: readonly Route[]): Route {
  const own: Route = {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This description',
    produces: 'application/json',
    handle: () => json(openApi([...routes, own])),
  };
  return own;
}

function allowed(routes: readonly Route[]): readonly string[] {
  return [...new Set(routes.flatMap((route) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method])))];
}

function methodRefused(method: string, path: string, methods: readonly string[]): Reply {
  const list = methods.join(', ');
  const hint = methods.includes('POST') ? '' : '; this address is read-only, writes go to the control socket';
  return { ...problem(405, `${path}: ${method} is not offered, only ${list}${hint}`), headers: { allow: list } };
}
