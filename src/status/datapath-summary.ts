import type { DatapathStatus } from '../datapath/status.ts';
import type { DatapathSummary, GatewayStatus } from '../model/status.ts';
import type { CycleView } from '../reconcile/cycle.ts';

/** From the least to the most that a TAP passes unsegmented. */
const OFFLOADS = ['none', 'checksum', 'tso', 'tso+uso'];

/** What the status says of the user engine: only where it carries a network of this gateway. */
export function datapathParts(
  view: CycleView | undefined,
  status: DatapathStatus | undefined,
): Pick<GatewayStatus, 'drops' | 'datapath'> & { readonly suppressed: number } {
  const carries = [...(view?.intent.networks.values() ?? [])].some((spec) => spec.datapath !== undefined);
  if (!carries || status === undefined) return { drops: {}, suppressed: 0, datapath: null };
  const drops = Object.entries(status.counters.drops).filter(([, count]) => count > 0);
  // A datapath of before does not count them.
  const { suppressed = 0 } = status.counters as Partial<DatapathStatus['counters']>;
  return { drops: Object.fromEntries(drops), suppressed, datapath: summary(status) };
}

function summary({ workers, batching, rss_bytes, networks, counters }: DatapathStatus): DatapathSummary {
  const offloads = new Set(networks.map(({ offload }) => offload));
  const { sent_frames, sent_bytes, received_frames, received_bytes, tap_writes: writes } = counters;
  return {
    workers,
    batching,
    offload: OFFLOADS.find((offload) => offloads.has(offload)) ?? null,
    rss_bytes,
    sent_frames,
    sent_bytes,
    received_frames,
    received_bytes,
    segments_per_write: writes === 0 ? null : Math.round((received_frames / writes) * 100) / 100,
  };
}
