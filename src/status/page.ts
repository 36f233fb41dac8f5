import type { Problem } from '../model/problem.ts';
import type { CandidateStatus, GatewayEvent, GatewayStatus } from '../model/status.ts';
import { html, join, type Html } from './html.ts';
import { firmwareItem } from './page-firmware.ts';
import { drops, endpoints, guards, heard, latest, networks, peers, uplinks } from './page-lists.ts';
import { STYLE } from './page-style.ts';
import { duration, toned, type Tone } from './page-table.ts';
import { trustItem } from './page-trust.ts';

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
          ${bar(health)}${config(status, limit)}${status.health.starting ? html`` : lists(status, limit)}${latest(events, limit)}
          <footer>
            <a href="/v1/status">JSON</a><a href="/metrics">Metrics</a><a href="/v1/events?once=1">Events</a
            ><a href="/openapi.json">API</a>
          </footer>
        </main>
      </body>
    </html> `;
  return document.html;
}

function lists(
  { networks: all, uplinks: own, endpoints: ends, peers: others, drops: lost }: GatewayStatus,
  limit: number,
): Html {
  return html`${networks(all, limit)}${uplinks(own, limit)}${heard(own, limit)}${endpoints(ends, limit)}
  ${peers(others, limit)}${guards(all, limit)}${drops(lost, limit)}`;
}

type Shown = { readonly tone: Tone; readonly words: string; readonly causes: readonly string[] };

function healthOf({ health }: GatewayStatus): Shown {
  if (health.starting) return { tone: 'warn', words: 'Starting', causes: health.reasons };
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

function config({ config: state, health, broker, trust, firmware }: GatewayStatus, limit: number): Html {
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
      ${state.candidate ? onTrial(state.candidate) : html``}
      <div>
        <dt>Last known good</dt>
        <dd>${state.lkg_version ?? 'none'}</dd>
      </div>
      <div>
        <dt>Broker</dt>
        <dd>
          ${brokerWord(broker.connected, health.starting)}
          <div class="mute">${broker.url}</div>
        </dd>
      </div>
      ${trustItem(trust)}${firmwareItem(firmware)}
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

function brokerWord(connected: boolean, starting: boolean): Html {
  if (connected) return toned('good', 'connected');
  return starting ? toned('warn', 'not tried yet') : toned('bad', 'not connected');
}

function onTrial({ version, seconds_left: left, waits_for: waitsFor }: CandidateStatus): Html {
  const end = left === null ? '' : `, taken back in ${left} s otherwise`;
  return html`<div>
    <dt>On trial</dt>
    <dd>
      ${toned('warn', `version ${version}`)}
      <div class="mute">waits for ${waitsFor.join(', ') || 'a cycle that ends'}${end}</div>
    </dd>
  </div>`;
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
