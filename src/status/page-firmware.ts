import type { FirmwareState, FirmwareStatus } from '../model/firmware.ts';
import { html, type Html } from './html.ts';
import { type Tone, toned } from './page-table.ts';

const TONES: Readonly<Record<FirmwareState, Tone>> = {
  idle: 'good',
  downloading: 'warn',
  installing: 'warn',
  installed: 'warn',
  activating: 'warn',
  proving: 'warn',
  committed: 'good',
  rolled_back: 'bad',
  refused: 'bad',
  failed: 'bad',
};

/** What runs and how far it is with another one; left out where the firmware is not Linkspan's to change. */
export function firmwareItem(status: FirmwareStatus | null): Html {
  if (status === null) return html``;
  const { version, slot, state, progress, target_version: target, error, waiting_for: waiting } = status;
  const about = target === null || target === version ? '' : ` ${target}`;
  const far = progress === null ? '' : `, ${progress} %`;
  return html`<div>
    <dt>Firmware</dt>
    <dd>
      ${version}, slot ${slot}
      <div>${toned(TONES[state], `${state.replace('_', ' ')}${about}${far}`)}</div>
      ${waiting.length > 0 ? html`<div class="mute">waits for ${waiting.join(', ')}</div>` : html``}
      ${error === null ? html`` : html`<div class="mute">${error.message}</div>`}
    </dd>
  </div>`;
}
