import type { DockerEndpoint, DockerNetwork } from '../model/docker.ts';
import { systemClock, type Clock } from '../service/clock.ts';
import type { Log } from '../service/log.ts';
import { attachmentRepository, type AttachmentRepository } from './attachments.ts';
import { changeRepository, type ChangeRepository } from './changes.ts';
import { dhcpLeaseRepository, type DhcpLeaseRepository } from './dhcp-leases.ts';
import { dockerAddressRepository, type DockerAddressRepository } from './docker-addresses.ts';
import { recordRepository, type RecordRepository } from './docker-records.ts';
import { documentRepository, type DocumentRepository } from './documents.ts';
import { endpointRepository, type EndpointRepository } from './endpoints.ts';
import { epochRepository, type EpochRepository } from './epoch.ts';
import { keepState } from './kept.ts';
import { leaseRepository, type LeaseRepository } from './leases.ts';
import { takeLock } from './lock.ts';
import { openDatabase, prepareDirectory, unusable } from './open.ts';
import { peerRepository, type PeerRepository } from './peers.ts';
import { trustRepository, type TrustRepository } from './trust.ts';

/** The gateway's durable state. Every call is synchronous and on the disk when it returns. */
export type Store = {
  /** Where a broken state file was moved to at this start; null when the file was sound or new. */
  readonly recovered: string | null;
  /** Where the state of a newer version was moved to at this start, in whose place is the kept one; null: it was not. */
  readonly restored: string | null;
  readonly epoch: EpochRepository;
  readonly documents: DocumentRepository;
  readonly leases: LeaseRepository;
  readonly dhcpLeases: DhcpLeaseRepository;
  readonly attachments: AttachmentRepository;
  readonly endpoints: EndpointRepository;
  readonly peers: PeerRepository;
  readonly trust: TrustRepository;
  readonly changes: ChangeRepository;
  readonly docker: {
    readonly networks: RecordRepository<DockerNetwork>;
    readonly endpoints: RecordRepository<DockerEndpoint>;
    readonly addresses: DockerAddressRepository;
  };
  /** Runs `work` as one transaction: all of its writes or, when it throws, none; one flush to the disk instead of many. */
  transaction<T>(work: () => T): T;
  /** Keeps a copy for this version to come back to after a newer one. */
  keep(): void;
  close(): void;
};

/**
 * Opens the state file, making it and its directory where missing, alone on it until `close` or the process's end.
 * A damaged file is moved aside and kept (see `recovered`), and an empty state takes its place. One of a newer version is
 * moved aside where this version has kept its own (see `restored`).
 *
 * @throws LinkspanError `state_in_use`, `state_newer`, `state_foreign` or `state_unusable`
 */
export function openStore(path: string, log: Pick<Log, 'warn'>, clock: Clock = systemClock): Store {
  try {
    const real = prepareDirectory(path);
    const unlock = takeLock(real);
    try {
      return openLocked(real, unlock, log, clock);
    } catch (error) {
      unlock();
      throw error;
    }
  } catch (error) {
    throw unusable(path, error);
  }
}

function openLocked(path: string, unlock: () => void, log: Pick<Log, 'warn'>, clock: Clock): Store {
  const { database, recovered, restored } = openDatabase(path, clock);
  if (recovered) log.warn('the state file was damaged; it is kept aside and an empty one is used', { path, recovered });
  return {
    recovered,
    restored,
    epoch: epochRepository(database),
    documents: documentRepository(database, clock),
    leases: leaseRepository(database),
    dhcpLeases: dhcpLeaseRepository(database),
    attachments: attachmentRepository(database),
    endpoints: endpointRepository(database),
    peers: peerRepository(database),
    trust: trustRepository(database),
    changes: changeRepository(database),
    docker: {
      networks: recordRepository(database, 'docker_networks'),
      endpoints: recordRepository(database, 'docker_endpoints'),
      addresses: dockerAddressRepository(database),
    },
    transaction: (work) => database.transaction(work)(),
    keep: () => keepState(database, path),
    close: () => {
      database.close();
      unlock();
    },
  };
}
