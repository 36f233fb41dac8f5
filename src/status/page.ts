import type { Problem } from '../model/problem.ts';
import type {
  EndpointStatus,
  GatewayEvent,
  GatewayStatus,
  NetworkStatus,
  PeerStatus,
  UplinkStatus,
} from '../model/status.ts';
import { html, join, type Html } from './html.ts';
import { STYLE } from './page-style.ts';
import { table, toned, withRemark, type Cell, type Tone } from './page-table.ts';

const PAGE_MAX = 50_000;
const ROWS = 24;
const ROWS_WHERE_LONG = 6;

/** The page for people, below 50 KB whatever the size of the gateway: long tables are cut and say so. */
export function page(status: GatewayStatus, events: readonly GatewayEvent[]): string {
  const full = render(status, events, ROWS);
  return Buffer.byteLength(full) < PAGE_MAX ? full : render(status, events, ROWS_WHERE_LONG);
}

function render(status: GatewayStatus, events: readonly GatewayEvent[], limit: number): string {
  const health = healthOf(status);
  const document = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta http-equiv="refresh" content="5" />
        <title>${status.gateway}: ${health.words}</title>
        <style>
          ${{ html: STYLE }}
        </style>
      </head>
      <body>
        <main>
          <header>
            <h1>${status.gateway}</h1>
            <span>fleet ${status.fleet}</span><span>Linkspan ${status.version}</span
            ><span>up ${duration(status.uptime_s)}</span>
          </header>
          ${bar(health)}${config(status, limit)}${networks(status.networks, limit)}${uplinks(status.uplinks, limit)}${endpoints(status.endpoints, limit)}
          ${peers(status.peers, limit)}${drops(status.drops, limit)}${latest(events, limit)}
          <footer>
            <a href="/v1/status">JSON</a><a href="/metrics">Metrics</a><a href="/v1/events?once=1">Events</a
            ><a href="/openapi.json">API</a>
          </footer>
        </main>
      </body>
    </html> `;
  return document.html;
}

type Shown = { readonly tone: Tone; readonly words: string; readonly causes: readonly string[] };

function healthOf({ health }: GatewayStatus): Shown {
  if (!health.ok) return { tone: 'bad', words: 'Needs attention', causes: health.reasons };
  if (!health.ready) return { tone: 'warn', words: 'Not ready yet', causes: health.reasons };
  return { tone: 'good', words: 'Healthy', causes: health.reasons };
}

function bar({ tone, words, causes }: Shown): Html {
  const cause = causes[0] ?? (tone === 'good' ? 'Everything wanted is in place.' : 'No cause was given.');
  const rest = causes.length > 1 ? html` (and ${causes.length - 1} more)` : html``;
  return html`<div class="bar ${tone}" role="status">
    <b>${words}</b>
    <p>${cause}${rest}</p>
  </div>`;
}

function config({ config: state, broker }: GatewayStatus, limit: number): Html {
  const shown = state.errors.slice(0, limit);
  return html`<section>
    <h2>Configuration</h2>
    <dl>
      <div>
        <dt>State</dt>
        <dd>${toned(CONFIG_TONES[state.state], state.state.replace('_', ' '))}</dd>
      </div>
      <div>
        <dt>Applied version</dt>
        <dd>${state.applied_version ?? 'none'}</dd>
      </div>
      <div>
        <dt>Last known good</dt>
        <dd>${state.lkg_version ?? 'none'}</dd>
      </div>
      <div>
        <dt>Broker</dt>
        <dd>
          ${toned(broker.connected ? 'good' : 'bad', broker.connected ? 'connected' : 'not connected')}
          <div class="mute">${broker.url}</div>
        </dd>
      </div>
    </dl>
    ${
      shown.length > 0
        ? html`<ul>
            ${join(shown.map(problemItem))}
          </ul>`
        : html``
    }
  </section>`;
}

const CONFIG_TONES: Readonly<Record<GatewayStatus['config']['state'], Tone>> = {
  none: 'warn',
  applied: 'good',
  applying: 'warn',
  confirming: 'warn',
  rejected: 'bad',
  rolled_back: 'bad',
};

function problemItem(problem: Problem): Html {
  return html`<li>${problem.message} <span class="mute">${problem.path}</span></li>`;
}

function networks(list: readonly NetworkStatus[], limit: number): Html {
  return table({
    title: 'Networks',
    columns: ['Network', 'Driver', 'VNI', 'VLAN', 'MTU', 'Endpoints', 'Peers', 'State'],
    rows: list.map((one) => [
      one.name,
      withRemark(one.engine === null ? one.driver : `${one.driver}, ${one.engine}`, one.engine_reason),
      one.vni,
      one.vlan,
      one.mtu,
      one.endpoints,
      one.peers,
      one.problem === null ? toned('good', 'ok') : withTone('bad', 'failed', one.problem),
    ]),
    limit,
    more: '/v1/networks',
    empty: 'No network is configured yet: publish a desired document or run linkspan apply.',
  });
}

/** Left out where no network stands on an interface. */
function uplinks(list: readonly UplinkStatus[], limit: number): Html {
  if (list.length === 0) return html``;
  return table({
    title: 'Uplinks',
    columns: ['Uplink', 'Interface', 'MACs on the switch port', 'Limit', 'State'],
    rows: list.map((one) => [
      one.name,
      one.interface,
      one.macs,
      one.mac_limit,
      one.problem === null ? toned('good', 'ok') : withTone('warn', 'too many', one.problem),
    ]),
    limit,
    more: '/v1/status',
    empty: '',
  });
}

const ENDPOINT_TONES = { attached: 'good', waiting: 'warn', failed: 'bad' } as const;

function endpoints(list: readonly EndpointStatus[], limit: number): Html {
  return table({
    title: 'Endpoints',
    columns: ['Workload', 'Network', 'Addresses', 'Published', 'MAC', 'Interface', 'Sandbox', 'State'],
    rows: list.map((one) => [
      one.workload,
      one.network,
      lines(one.addresses),
      lines(one.published),
      html`<span class="n">${one.mac}</span>`,
      one.interface,
      one.sandbox,
      withTone(ENDPOINT_TONES[one.state], one.state, one.problem),
    ]),
    limit,
    more: '/v1/endpoints',
    empty: 'No workload is attached.',
  });
}

const PEER_TONES = { up: 'good', suspect: 'warn', down: 'bad', static: 'good' } as const;

function peers(list: readonly PeerStatus[], limit: number): Html {
  return table({
    title: 'Peers',
    columns: ['Gateway', 'VTEP', 'VNIs', 'Round trip', 'Path MTU', 'Last seen', 'State'],
    rows: list.map((one) => [
      one.gateway,
      one.vtep,
      one.vnis.join(', '),
      one.rtt_ms === null ? null : `${one.rtt_ms.toFixed(1)} ms`,
      one.path_mtu,
      one.last_seen_s === null ? null : `${duration(one.last_seen_s)} ago`,
      toned(PEER_TONES[one.state], one.state),
    ]),
    limit,
    more: '/v1/peers',
    empty: 'No other gateway is known.',
  });
}

function drops(counts: GatewayStatus['drops'], limit: number): Html {
  const rows: readonly (readonly Cell[])[] = Object.entries(counts).filter(([, count]) => count > 0);
  if (rows.length === 0) return html``;
  return table({ title: 'Dropped frames', columns: ['Reason', 'Frames'], rows, limit, more: '/metrics', empty: '' });
}

const LEVEL_TONES = { info: 'good', warning: 'warn', error: 'bad' } as const;

function latest(events: readonly GatewayEvent[], limit: number): Html {
  return table({
    title: 'Last events',
    columns: ['Event', '', '', 'Time'],
    rows: events
      .slice(-limit)
      .reverse()
      .map((event) => [
        event.message,
        event.level === 'info' ? null : toned(LEVEL_TONES[event.level], event.level),
        event.type,
        html`<span class="n">${event.time.slice(0, 19).replace('T', ' ')} UTC</span>`,
      ]),
    limit,
    more: '/v1/events?once=1',
    empty: 'Nothing has happened yet.',
  });
}

function withTone(tone: Tone, word: string, remark: string | null): Html {
  return remark === null
    ? toned(tone, word)
    : html`${toned(tone, word)}
        <div class="mute">${remark}</div>`;
}

function lines(list: readonly string[]): Html {
  return join(list.map((one) => html`<div>${one}</div>`));
}

/** Seconds as people say them, in at most two units. */
function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}
