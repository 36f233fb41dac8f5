import { expect, test } from '@jest/globals';
import type { GatewayStatus } from '../../src/model/status.ts';
import { EventRing } from '../../src/status/events.ts';
import { metrics } from '../../src/status/metrics.ts';
import { page } from '../../src/status/page.ts';
import { readRoutes } from '../../src/status/read-routes.ts';
import type { Reply } from '../../src/status/reply.ts';
import { createRouter } from '../../src/status/router.ts';
import { FDB_ENTRY, HEALTHY } from './support/status.ts';

const WHY = 'the first look at the host is not done yet';
const STARTING: GatewayStatus = {
  ...HEALTHY,
  health: { ok: false, ready: false, starting: true, reasons: [WHY] },
  broker: { connected: false, url: '' },
  networks: [],
};

const route = createRouter(
  readRoutes({
    status: () => STARTING,
    fdb: () => [FDB_ENTRY],
    firmwareWaitsFor: () => [],
    events: new EventRing(),
    desiredSchema: {},
  }),
);

async function get(path: string, query = ''): Promise<Reply> {
  const found = route('GET', path);
  if (!('handle' in found)) return found;
  const request = { query: new URLSearchParams(query), headers: {}, body: new Uint8Array() };
  return (await found.handle(request)) as Reply;
}

test.each([['/v1/networks'], ['/v1/endpoints'], ['/v1/peers'], ['/v1/fdb'], ['/v1/fdb', 'network=line1']])(
  'a gateway that starts does not know %s yet, and says when to ask again',
  async (path, query = '') => {
    const { status, type, body, headers } = await get(path, query);
    expect([status, type, headers]).toEqual([503, 'application/problem+json', { 'retry-after': '2' }]);
    expect(JSON.parse(body)).toMatchObject({ title: 'Unavailable', detail: expect.stringContaining('is starting') });
  },
);

test('it answers all else, and is not ready', async () => {
  expect((await get('/readyz')).status).toBe(503);
  const { status, body } = await get('/v1/status');
  expect(status).toBe(200);
  expect(JSON.parse(body)).toMatchObject({ gateway: HEALTHY.gateway, health: { starting: true, reasons: [WHY] } });
  expect(metrics(STARTING)).toContain('\nlinkspan_ready 0\n');
});

test('its page names it and what it waits for, and claims nothing of what it has not seen', () => {
  const text = page(STARTING, []);
  expect(text).toContain(`<title>${STARTING.gateway}: Starting</title>`);
  expect(text).toContain(WHY);
  expect(text).toContain('not tried yet');
  for (const claim of ['No network', 'No workload', 'gw-b', 'Needs attention', 'not connected'])
    expect(text).not.toContain(claim);
  expect(page(HEALTHY, [])).toContain('gw-b');
});
