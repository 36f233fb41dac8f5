import Database from 'better-sqlite3';
import type { AttachmentStore } from '../../../src/control/socket/commands.ts';
import type { DocumentStore } from '../../../src/control/documents/store.ts';
import { Documents } from '../../../src/control/documents/documents.ts';
import type { Surroundings } from '../../../src/control/documents/trial-run.ts';
import { type Endpoint, endpointKey } from '../../../src/model/network.ts';
import { type DocumentRepository, documentRepository } from '../../../src/store/documents.ts';
import { MIGRATIONS } from '../../../src/store/migrations.ts';
import type { Json } from './documents.ts';

/** The real repository, on a database in memory. */
export function memoryDocuments(): DocumentRepository {
  const database = new Database(':memory:');
  for (const sql of MIGRATIONS) database.exec(sql);
  return documentRepository(database, { now: () => 1_700_000_000_000, monotonic: () => 0 });
}

/** A gateway on its own, whose broker is not connected; what is given is otherwise. */
export function surroundings(over: Partial<Surroundings> = {}): Surroundings {
  return {
    now: () => ({ boot: 'boot', ms: 0 }),
    broker: () => ({ connected: false, own: false }),
    reachBroker: () => Promise.resolve(false),
    peers: () => [],
    uplinksMove: () => false,
    ...over,
  };
}

export class MemoryAttachments implements AttachmentStore {
  readonly #all = new Map<string, Endpoint>();
  list(): readonly Endpoint[] {
    return [...this.#all.values()];
  }
  put(endpoint: Endpoint): void {
    this.#all.set(endpointKey(endpoint), endpoint);
  }
  remove(workload: string, network: string): void {
    this.#all.delete(endpointKey({ workload, network }));
  }
}

export const bytes = (value: Json): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** The documents of gw-a on `store`, and all that they tell. */
export function documentsOn(
  store: DocumentStore,
  around: Partial<Surroundings> = {},
): { documents: Documents; told: string[] } {
  const told: string[] = [];
  const documents = new Documents({
    gateway: 'gw-a',
    store,
    damaged: false,
    interfaces: () => new Set(['eth0', 'eth1']),
    event: (type, level, message) => void told.push(`${type} ${level}: ${message}`),
    onAccepted: () => void told.push('accepted'),
    onStatus: () => void told.push('status'),
    onBack: () => void told.push('back'),
    surroundings: surroundings(around),
  });
  return { documents, told };
}
