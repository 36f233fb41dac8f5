import type { AttachmentStore } from '../../../src/control/commands.ts';
import { Documents, type DocumentStore } from '../../../src/control/documents.ts';
import { type Endpoint, endpointKey } from '../../../src/model/network.ts';
import type { Json } from './documents.ts';

type Stored = { readonly version: number; readonly hash: string; readonly body: string };

export class MemoryDocuments implements DocumentStore {
  all: Stored[] = [];
  applied: number | undefined;
  accept(document: Stored): void {
    this.all.push(document);
  }
  markApplied(version: number): void {
    this.applied = version;
  }
  current(): Stored | undefined {
    return this.all.at(-1);
  }
  lastKnownGood(): Stored | undefined {
    return this.all.find(({ version }) => version === this.applied);
  }
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
export function documentsOn(store: DocumentStore): { documents: Documents; told: string[] } {
  const told: string[] = [];
  const documents = new Documents({
    gateway: 'gw-a',
    store,
    damaged: false,
    interfaces: () => new Set(['eth0', 'eth1']),
    event: (type, level, message) => void told.push(`${type} ${level}: ${message}`),
    onAccepted: () => void told.push('accepted'),
    onStatus: () => void told.push('status'),
  });
  return { documents, told };
}
