import { type Refusal, refuse } from '../request/refusal.ts';
import type { Mac } from '../../model/mac.ts';
import type { DeviceClaims } from '../../peers/devices.ts';
import type { Documents } from '../documents/documents.ts';

export type ClearOptions = {
  readonly documents: Documents;
  readonly devices: Pick<DeviceClaims, 'clear'>;
  /** runs the loop until it has seen the result */
  readonly settled: () => Promise<void>;
};

/** Takes a device's MAC, left alone because it was at two sites at a time, as an ordinary one again. */
export async function clearDuplicate(
  network: string,
  mac: Mac,
  { documents, devices, settled }: ClearOptions,
): Promise<{ readonly ok: true; readonly cleared: Mac } | Refusal> {
  const found = documents.desired.networks.find(({ name }) => name === network);
  if (found?.driver !== 'overlay') {
    const message = `there is no overlay network ${network}; "linkspan network ls" shows what there is`;
    return refuse('not_found', 'missing_network', message);
  }
  if (!devices.clear(found.vni, mac)) {
    const message = `${mac} is not held back on network ${network} by this gateway; its problem "duplicate_mac" names those that are, ask the other site's gateway too`;
    return refuse('not_found', 'failed', message);
  }
  await settled();
  return { ok: true, cleared: mac };
}
