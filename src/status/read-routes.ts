import type { FdbEntry, GatewayStatus } from '../model/status.ts';
import { eventStream } from './event-stream.ts';
import type { EventRing } from './events.ts';
import { metrics } from './metrics.ts';
import { page } from './page.ts';
import { json, problem, type Reply } from './reply.ts';
import type { ApiRequest, Handler, Route } from './router.ts';

/** What the status interface shows; asked anew at every request. */
export interface StatusSource {
  status(): GatewayStatus;
  fdb(): readonly FdbEntry[];
  /** what the running firmware has not shown yet; nothing: it is healthy */
  firmwareWaitsFor(): readonly string[];
  readonly events: EventRing;
  readonly desiredSchema: object;
}

const JSON_TYPE = 'application/json';

/** The routes that change nothing, for TCP and the control socket; one call's routes share one limit of followers. */
export function readRoutes(source: StatusSource): readonly Route[] {
  return [
    get('/', 'The page for people', () => html(page(source.status(), source.events.list())), 'text/html'),
    get('/healthz', '200 while the service does its work, 503 and why otherwise', () => healthz(source)),
    get('/readyz', '200 once the gateway carries traffic, 503 and why otherwise', () => readyz(source)),
    get('/metrics', 'Prometheus metrics', () => prometheus(source), 'text/plain'),
    get('/v1/status', 'The whole state', () => json(source.status())),
    get(
      '/v1/networks',
      'The networks',
      known(source, ({ networks }) => json(networks)),
    ),
    get(
      '/v1/endpoints',
      'The endpoints',
      known(source, ({ endpoints }) => json(endpoints)),
    ),
    get(
      '/v1/peers',
      'The peers',
      known(source, ({ peers }) => json(peers)),
    ),
    get(
      '/v1/fdb',
      'The forwarding table; ?network=NAME for one network',
      known(source, (status, { query }) => fdb(source.fdb(), status, query.get('network'))),
    ),
    get('/v1/firmware', 'The firmware, and whether it has proven itself', () => firmware(source)),
    get('/v1/events', 'Server-sent events; ?once=1 for JSON', eventStream(source.events), 'text/event-stream'),
    get('/schema/desired.json', 'JSON Schema of the desired document', () => json(source.desiredSchema)),
  ];
}

function get(path: string, summary: string, handle: Handler, produces = JSON_TYPE): Route {
  return { method: 'GET', path, summary, produces, handle };
}

function html(body: string): Reply {
  return { status: 200, type: 'text/html', body };
}

function healthz(source: StatusSource): Reply {
  const { ok, reasons } = source.status().health;
  return json({ ok, reasons }, ok ? 200 : 503);
}

function readyz(source: StatusSource): Reply {
  const { ready, reasons } = source.status().health;
  return json({ ok: ready, reasons }, ready ? 200 : 503);
}

function firmware(source: StatusSource): Reply {
  const waiting = source.firmwareWaitsFor();
  return json({ firmware: source.status().firmware, healthy: waiting.length === 0, waiting_for: waiting });
}

function prometheus(source: StatusSource): Reply {
  return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: metrics(source.status()) };
}

/** An empty list would say that there is nothing, and nobody knows yet. */
function known(source: StatusSource, reply: (status: GatewayStatus, request: ApiRequest) => Reply): Handler {
  return (request) => {
    const status = source.status();
    if (!status.health.starting) return reply(status, request);
    const refusal = problem(503, 'the gateway is starting and does not know yet; ask again in a moment');
    return { ...refusal, headers: { 'retry-after': '2' } };
  };
}

function fdb(entries: readonly FdbEntry[], { networks }: GatewayStatus, network: string | null): Reply {
  if (network === null) return json(entries);
  if (!networks.some((one) => one.name === network))
    return problem(404, `network/${network}: no such network; GET /v1/networks lists them`);
  return json(entries.filter((entry) => entry.network === network));
}
