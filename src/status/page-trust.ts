import type { TrustStatus } from '../model/status.ts';
import { html, type Html } from './html.ts';
import { type Tone, toned } from './page-table.ts';

const ENROLMENT: Readonly<Record<NonNullable<TrustStatus['enrolled']>, readonly [Tone, string]>> = {
  yes: ['good', 'enrolled'],
  no: ['warn', 'not enrolled'],
  revoked: ['bad', 'revoked'],
  other_key: ['bad', 'enrolled with another key'],
};

/** How this gateway stands in its fleet, and what it refused last; nothing where nobody signs. */
export function trustItem({ policy, key_id: id, enrolled, vnis, refused }: TrustStatus): Html {
  if (policy === 'off') return html``;
  const last = refused.at(-1);
  const asked = policy === 'require' ? 'required' : 'only warned of';
  return html`<div>
    <dt>Signatures</dt>
    <dd>
      ${toned(...ENROLMENT[enrolled ?? 'no'])}
      <div class="mute">${asked}, key ${id}${vnis === null ? '' : `, VNIs ${vnis}`}</div>
      ${last ? html`<div class="mute">refused last: ${last.gateway}, ${last.reason}</div>` : html``}
    </dd>
  </div>`;
}
