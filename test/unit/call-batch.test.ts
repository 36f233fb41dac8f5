import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'koffi';
import { ERRNO } from '../../src/datapath/ports.ts';
import { type CallBatch, openCallBatch, SingleCalls } from '../../src/host/call-batch.ts';
import { memoryCalls } from '../../src/host/memory-calls.ts';
import { Ring } from '../../src/host/ring.ts';

const SIZE = 8;
const SLOT = 100;
const calls = memoryCalls();
const memory = new Uint8Array(new SharedArrayBuffer(0x4000));
const base = calls.addressOf(memory);

/** Both ends of a pipe that does not block; one with a name in the file system knows no RWF_NOWAIT. */
function openPipe(): readonly [number, number] {
  const ends = Buffer.alloc(8);
  const pipe2 = load('libc.so.6').func('int pipe2(_Out_ uint8_t *ends, int flags)');
  if (pipe2(ends, constants.O_NONBLOCK) !== 0) throw new Error('no pipe');
  return [ends.readInt32LE(0), ends.readInt32LE(4)];
}

const [readEnd, writeEnd] = openPipe();
afterAll(() => {
  closeSync(readEnd);
  closeSync(writeEnd);
});

/** Two iovecs that name `SLOT` bytes from 0x1000 and 0x2000, told from others by `value`. */
function iovecsOf(value: number): number {
  const view = new DataView(memory.buffer);
  for (const [index, at] of [0x1000, 0x2000].entries()) {
    memory.fill(value + index, at, at + SLOT / 2);
    view.setBigUint64(index * 16, BigInt(base + at), true);
    view.setBigUint64(index * 16 + 8, BigInt(SLOT / 2), true);
  }
  return base;
}

const slotAt = (slot: number): number => 0x3000 + slot * SLOT;

function readAll(batch: CallBatch, count: number): number[] {
  for (let slot = 0; slot < count; slot += 1) batch.read(readEnd, base + slotAt(slot), SLOT);
  return [...batch.run().subarray(0, count)];
}

const KINDS: readonly [string, () => CallBatch | undefined][] = [
  ['io_uring', () => Ring.open(SIZE)],
  ['none', () => new SingleCalls(calls, SIZE)],
];

describe.each(KINDS)('a batch of calls, %s', (kind, open) => {
  let batch: CallBatch;

  beforeAll(() => {
    const opened = open();
    if (opened === undefined)
      throw new Error('this kernel has no io_uring: it takes Linux 6.4, not forbidden by sysctl');
    batch = opened;
  });
  afterAll(() => batch.close());

  test('runs in order, and fails at once where it would have to wait', () => {
    expect(batch.kind).toBe(kind);
    for (let value = 1; value <= 3; value += 1) {
      batch.writev(writeEnd, iovecsOf(value * 10), 2);
      expect(batch.run()[0]).toBe(SLOT);
    }
    expect(readAll(batch, 5)).toEqual([SLOT, SLOT, SLOT, -ERRNO.EAGAIN, -ERRNO.EAGAIN]);
    const firsts = [0, 1, 2].map((slot) => [memory[slotAt(slot)], memory[slotAt(slot) + SLOT - 1]]);
    expect(firsts).toEqual([
      [10, 11],
      [20, 21],
      [30, 31],
    ]);
  });

  test('tells each its own error', () => {
    batch.writev(writeEnd, iovecsOf(1), 2);
    batch.read(-1, base, 1);
    batch.read(readEnd, 1, SLOT);
    batch.read(readEnd, base + slotAt(0), SLOT);
    const [written, closed, nowhere, read] = batch.run();
    expect([written, closed, nowhere, read]).toEqual([SLOT, -EBADF, -EFAULT, SLOT]);
  });

  test('is as large as it is', () => {
    for (let index = 0; index < SIZE; index += 1) batch.read(readEnd, base + slotAt(0), SLOT);
    expect(() => batch.read(readEnd, base + slotAt(0), SLOT)).toThrow(RangeError);
    expect([...batch.run()]).toEqual(Array.from({ length: SIZE }, () => -ERRNO.EAGAIN));
  });

  test('goes on past the end of the ring, many times', () => {
    for (let round = 0; round < 1000; round += 1) {
      for (let index = 0; index < 3; index += 1) batch.writev(writeEnd, iovecsOf(round % 200), 2);
      expect([...batch.run().subarray(0, 3)]).toEqual([SLOT, SLOT, SLOT]);
      expect(readAll(batch, 4)).toEqual([SLOT, SLOT, SLOT, -ERRNO.EAGAIN]);
    }
  });
});

test('io_uring is used for descriptors that know how not to wait, and for no others', () => {
  const folder = mkdtempSync(join(tmpdir(), 'linkspan-batch-'));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const named = openSync(join(folder, 'pipe'), constants.O_RDWR | constants.O_NONBLOCK);
  const batches = [readEnd, named].map((descriptor) => openCallBatch(calls, SIZE, descriptor));
  expect(batches.map(({ kind }) => kind)).toEqual(['io_uring', 'none']);
  for (const batch of batches) batch.close();
  closeSync(named);
  rmSync(folder, { recursive: true });
});

const EBADF = 9;
const EFAULT = 14;
