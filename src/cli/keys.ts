import type { GatewayStatus, TrustStatus } from '../model/status.ts';
import { EXIT } from './exit.ts';
import type { Verb } from './verb.ts';

const REFUSED_SHOWN = 5;

export const KEY_VERBS: readonly Verb[] = [
  {
    name: 'key show',
    usage: '',
    summary: "this gateway's public key, for `linkspan fleet enrol`",
    arity: [0, 0],
    run: async ({ client, output, json }) => {
      const { trust } = await client.get<GatewayStatus>('/v1/status');
      const { public_key: key, key_id: id, enrolled } = trust;
      if (json) output.json({ key, key_id: id, enrolled });
      else output.line(key);
      return EXIT.ok;
    },
  },
];

/** The policy and what it comes to, in one line. */
export function trustLine(trust: TrustStatus): string {
  const { policy, key_id: id, enrolled, vnis } = trust;
  if (policy === 'off') return 'off, nothing is signed';
  const words = {
    yes: `enrolled for VNIs ${vnis ?? 'none'}`,
    no: 'not enrolled',
    revoked: 'revoked',
    other_key: 'enrolled with another key',
  };
  return `${policy}, key ${id} ${enrolled === null ? 'not enrolled' : words[enrolled]}`;
}

/** Whose word was refused, or taken only by the policy `warn`; the latest first. */
export function refusalLines({ refused }: TrustStatus): readonly string[] {
  const shown = refused.toReversed().slice(0, REFUSED_SHOWN);
  const rest = refused.length - shown.length;
  return [
    ...shown.map(({ gateway, reason, count, last_s: age }) => `${gateway}: ${reason}, ${count} times, ${age} s ago`),
    ...(rest > 0 ? [`and ${rest} more gateways`] : []),
  ];
}
