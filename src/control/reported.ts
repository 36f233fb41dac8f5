import type { FirmwareStatus } from '../model/firmware.ts';
import type { CandidateStatus, GatewayStatus, NetworkStatus } from '../model/status.ts';

const PROGRESS_STEP = 10;

/** The payload of the `reported` topic: how far the document is, and each network as it runs, without what counts on. */
export function encodeReported(status: Pick<GatewayStatus, 'config' | 'epoch' | 'networks' | 'firmware'>): Buffer {
  const { config, epoch, networks } = status;
  const { applied_version, applied_hash, state, errors, lkg_version } = config;
  const candidate = config.candidate && withoutCountdown(config.candidate);
  const firmware = status.firmware && inSteps(status.firmware);
  const byName = Object.fromEntries(networks.map(({ name, ...rest }) => [name, withoutCounts(rest)]));
  return Buffer.from(
    JSON.stringify({
      applied_version,
      applied_hash,
      state,
      errors,
      lkg_version,
      candidate,
      epoch,
      firmware,
      networks: byName,
    }),
  );
}

function inSteps({ progress, ...rest }: FirmwareStatus): FirmwareStatus {
  return { ...rest, progress: progress === null ? null : progress - (progress % PROGRESS_STEP) };
}

/** Of the time that is left, readers see when it was said; a message a second would be none the wiser. */
function withoutCountdown({ version, hash, waits_for }: CandidateStatus): object {
  return { version, hash, waits_for };
}

function withoutCounts({ guards, ...rest }: Omit<NetworkStatus, 'name'>): object {
  if (guards === null) return rest;
  const { profile, dhcp, ra, bum_pps, loop } = guards;
  return { ...rest, guards: { profile, dhcp, ra, bum_pps, loop } };
}
