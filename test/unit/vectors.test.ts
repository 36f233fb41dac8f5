import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parseTopic } from '../../src/control/session/topics.ts';
import { PeerDirectory } from '../../src/peers/directory.ts';
import { digestOfBytes, encodeRecord, parseRecord } from '../../src/peers/record.ts';
import { systemClock } from '../../src/service/clock.ts';
import { MemoryStore } from './support/peer-store.ts';
import { vni } from './support/values.ts';

type Message = { readonly topic: string; readonly payload: string };
type Step = Message & { readonly fdb: Readonly<Record<string, string>> };
type Vectors = {
  readonly fleet: string;
  readonly reader: string;
  readonly vni: number;
  readonly digests: readonly { readonly payload: string; readonly digest: string }[];
  readonly topics: readonly { readonly topic: string; readonly valid: boolean }[];
  readonly refused: readonly (Message & { readonly why: string })[];
  readonly sequences: readonly { readonly name: string; readonly steps: readonly Step[] }[];
};

// written by another program than ours, in another language, from docs/protocol.md
const VECTORS = JSON.parse(readFileSync(new URL('../vectors/records.json', import.meta.url), 'utf8')) as Vectors;
const { fleet, reader: gateway } = VECTORS;
const VNI = vni(VECTORS.vni);

function directory(): PeerDirectory {
  return new PeerDirectory({ fleet, gateway, store: new MemoryStore(), clock: systemClock, onEvent: () => undefined });
}

function take(into: PeerDirectory, { topic: name, payload }: Message): string {
  const topic = parseTopic(fleet, name);
  const bytes = Buffer.from(payload);
  if (topic?.kind === 'alive') return into.receiveAlive(topic.gw, bytes);
  if (topic?.kind !== 'record') throw new Error(`${name}: no topic of a gateway`);
  const address = { fleet, ...topic };
  return topic.page === 0 ? into.receiveRecord(address, bytes) : into.receivePage(address, bytes);
}

function fdbOf(from: PeerDirectory): Record<string, string> {
  return Object.fromEntries(from.remotes(VNI).flatMap(({ gateway: gw, macs }) => macs.map(({ m }) => [m, gw])));
}

test.each(VECTORS.digests)('the digest of $payload', ({ payload, digest }) => {
  expect(digestOfBytes(Buffer.from(payload))).toBe(digest);
});

test('a record has these very bytes', () => {
  const [first] = VECTORS.digests;
  const parsed = parseRecord(Buffer.from(first?.payload ?? ''), { fleet, vni: VNI, gw: 'gw-a' });
  expect(parsed.ok && encodeRecord(parsed.value).toString()).toBe(first?.payload);
});

test.each(VECTORS.topics)('$topic: $valid', ({ topic, valid }) => {
  expect(parseTopic(fleet, topic) !== undefined).toBe(valid);
});

test.each(VECTORS.refused)('refused: $why', (message) => {
  expect(take(directory(), message)).toBe('invalid');
});

describe.each(VECTORS.sequences)('$name', ({ steps }) => {
  const into = directory();
  test.each(steps)('$topic', (step) => {
    take(into, step);
    expect(fdbOf(into)).toEqual(step.fdb);
  });
});
