import { parse, format } from 'node:path';
import type { EventSink } from '../model/status.ts';
import type { Bootstrap } from '../service/bootstrap.ts';
import { systemClock } from '../service/clock.ts';
import { TrustGate, type TrustPolicy } from '../trust/gate.ts';
import { parsePublicKey } from '../trust/key.ts';
import { readOrMakeKeyFile } from '../trust/key-file.ts';
import type { TrustStore } from '../trust/roster.ts';

/** The gate as the bootstrap file wants it; makes this gateway's key at its first start. @throws LinkspanError `bad_key` */
export function createGate(bootstrap: Bootstrap, store: TrustStore, onEvent: EventSink): TrustGate {
  const { fleet, gateway, trust } = bootstrap;
  const key = readOrMakeKeyFile(keyPath(bootstrap));
  const fleetKey = parsePublicKey(trust.fleetKey);
  return new TrustGate({ fleet, gateway, policy: policyOf(trust), key, fleetKey, store, clock: systemClock, onEvent });
}

/** Beside the state file, since both are this gateway's alone: /var/lib/linkspan/linkspan.key. */
function keyPath({ trust, state }: Bootstrap): string {
  if (trust.key !== '') return trust.key;
  const { dir, name } = parse(state.path);
  return format({ dir, name, ext: '.key' });
}

function policyOf({ policy, fleetKey }: Bootstrap['trust']): TrustPolicy {
  if (policy !== 'auto') return policy;
  return fleetKey === '' ? 'off' : 'require';
}
