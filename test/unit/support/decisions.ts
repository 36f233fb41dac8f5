import type { Decisions } from '../../../src/control/socket/document-routes.ts';

const NO_VERSION = { path: '', code: 'missing_version', message: 'document version 9 is not kept' } as const;
/** What the service would say of its documents: 7 waits for a confirmation, 6 ran before. */
export const DECISIONS: Decisions = {
  confirm: (version = 7) =>
    version === 7
      ? { ok: true, version, state: 'applied' }
      : { ok: false, reason: 'refused', problem: { path: '', code: 'nothing_to_confirm', message: 'nothing waits' } },
  rollback: (version = 6) =>
    version === 9
      ? { ok: false, reason: 'not_found', problem: NO_VERSION }
      : { ok: true, version, state: version === 6 ? 'rolled_back' : 'applying' },
  compare: (body) => {
    const { bad, version } = JSON.parse(new TextDecoder().decode(body)) as { bad?: boolean; version: number };
    if (bad === true) return { ok: false, problems: [NO_VERSION] };
    const changes = [
      { path: '/spec/networks/a/mtu', before: 1400, after: 1300 },
      { path: '/spec/networks/b', after: { driver: 'bridge' } },
      { path: '/spec/workloads/w', before: { alias: `\u001b[31m` } },
    ];
    return { ok: true, running: 6, on_trial: version === 8, changes: version === 8 ? changes : [] };
  },
  history: [
    {
      version: 7,
      hash: 'ab'.repeat(32),
      state: 'candidate',
      running: true,
      source: 'mqtt',
      received: '2026-11-24T10:00:00.000Z',
      settled: null,
      errors: [],
    },
    {
      version: 6,
      hash: 'cd'.repeat(32),
      state: 'rolled_back',
      running: false,
      source: null,
      received: '2026-11-24T09:00:00.000Z',
      settled: '2026-11-24T09:01:00.000Z',
      errors: [NO_VERSION],
    },
  ],
};
