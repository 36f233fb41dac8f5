import type { ConfigStatus, NetworkStatus } from '../model/status.ts';

/** The payload of the `reported` topic: how far the document is, and each network as it runs. */
export function encodeReported(config: ConfigStatus, epoch: number, networks: readonly NetworkStatus[]): Buffer {
  const { applied_version, applied_hash, state, errors, lkg_version } = config;
  const byName = Object.fromEntries(networks.map(({ name, ...rest }) => [name, rest]));
  return Buffer.from(
    JSON.stringify({ applied_version, applied_hash, state, errors, lkg_version, epoch, networks: byName }),
  );
}
