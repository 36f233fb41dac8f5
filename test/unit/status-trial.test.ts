import { expect, test } from '@jest/globals';
import { encodeReported } from '../../src/control/reported.ts';
import type { ConfigStatus } from '../../src/model/status.ts';
import { metrics } from '../../src/status/metrics.ts';
import { page } from '../../src/status/page.ts';
import { HEALTHY } from './support/status.ts';

const config = (seconds_left: number | null): ConfigStatus => ({
  ...HEALTHY.config,
  state: 'applying',
  candidate: { version: 13, hash: 'cd', seconds_left, waits_for: ['the broker', 'peer <gw-b>'] },
});

const shown = (left: number | null): string => page({ ...HEALTHY, config: config(left) }, []).replaceAll(/\s+/g, ' ');

test('the page says what a document on trial waits for, and how long', () => {
  expect(shown(42)).toContain('version 13');
  expect(shown(42)).toContain('waits for the broker, peer &lt;gw-b&gt;, taken back in 42 s otherwise');
  expect(shown(null)).toContain('waits for the broker, peer &lt;gw-b&gt;</div>');
  expect(page(HEALTHY, [])).not.toContain('On trial');
});

const measured = (left: number | null): string => metrics({ ...HEALTHY, config: config(left) });

test('a metric counts down while there is an end', () => {
  expect(measured(42)).toContain('\nlinkspan_config_trial_seconds_remaining 42\n');
  expect(measured(null)).not.toContain('trial');
});

test('what is reported is the same while only time passes', () => {
  const [early, late] = [60, 59].map((left) => encodeReported({ ...HEALTHY, config: config(left), networks: [] }));
  expect(late).toEqual(early);
  expect(JSON.parse(String(early))).toMatchObject({
    state: 'applying',
    candidate: { version: 13, hash: 'cd', waits_for: ['the broker', 'peer <gw-b>'] },
  });
});
