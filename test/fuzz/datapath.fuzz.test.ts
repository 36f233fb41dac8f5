import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { CanaryEgress, CanaryIngress, type Message } from './canary.ts';
import { DATAGRAMS, Mutator, TAP_FRAMES } from './mutate.ts';

const FRAMES = Number(process.env['LINKSPAN_FUZZ_FRAMES'] ?? 1_000_000);
const SEED = Number(process.env['LINKSPAN_FUZZ_SEED'] ?? 20_261_124);
/** A frame of the run costs some 20 µs on a slow machine. */
const TIMEOUT_MS = 60_000 + FRAMES / 5;
const GROWTH_MAX = 256 << 20;

/** Both ways with two values around the frames. */
const out = [new CanaryEgress(0x00), new CanaryEgress(0xff)] as const;
const into = [new CanaryIngress(0x00), new CanaryIngress(0xff)] as const;

/** What is wrong with the way out of one frame, or undefined. */
function faultOut(frame: Uint8Array): string | undefined {
  const [carried, dropped] = out[0].carry(frame);
  const again = out[1].carry(frame);
  if (carried !== again[0] || dropped !== again[1]) return 'counted by what lies behind the frame';
  if (carried > 0 === dropped > 0) return `carried ${carried} and dropped ${dropped}`;
  return out[0].output.written.equals(out[1].output.written) ? undefined : 'sent what lies behind the frame';
}

function faultIn(messages: readonly Message[]): string | undefined {
  const came = messages.reduce(
    (total, { payload, size }) => total + Math.max(1, Math.ceil(payload.length / (size ?? Infinity))),
    0,
  );
  const [carried, dropped] = into[0].carry(messages);
  const again = into[1].carry(messages);
  if (carried !== again[0] || dropped !== again[1]) return 'counted by what lies behind the frame';
  if (carried + dropped !== came) return `carried ${carried} and dropped ${dropped} of ${came}`;
  return into[0].output.written.equals(into[1].output.written) ? undefined : 'wrote what lies behind the frame';
}

function expectClean(): void {
  expect([...out, ...into].map((engine) => engine.isClean)).toEqual([true, true, true, true]);
}

const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength, size: 'max' });

test('any bytes from a TAP', () => {
  const header = fc.tuple(fc.constantFrom(0, 1, 2, 3, 255), fc.constantFrom(0, 1, 3, 4, 5, 0x81, 255), bytes(8, 8));
  const type = fc.constantFrom('0800', '86dd', '8100', '88a8', '0806', '8892').map((text) => Buffer.from(text, 'hex'));
  const frame = fc.tuple(header, bytes(12, 12), type, bytes(0, 1600));
  fc.assert(
    fc.property(frame, ([[flags, gso, rest], macs, etherType, body]) => {
      expect(faultOut(Buffer.concat([Buffer.of(flags, gso), rest, macs, etherType, body]))).toBeUndefined();
    }),
    { numRuns: 5000, seed: SEED },
  );
  fc.assert(
    fc.property(bytes(1, 200), (any) => expect(faultOut(any)).toBeUndefined()),
    { numRuns: 5000, seed: SEED },
  );
  expectClean();
});

test('any bytes from the underlay, cut in any way', () => {
  const message = fc.record({
    payload: bytes(0, 3000),
    size: fc.option(fc.integer({ min: 1, max: 3000 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 16 }), (messages) => {
      expect(
        faultIn(
          messages.map((one) => ({ ...one, payload: one.payload.map((byte, at) => (at % 97 === 0 ? 8 : byte)) })),
        ),
      ).toBeUndefined();
    }),
    { numRuns: 3000, seed: SEED },
  );
  expectClean();
});

test('every EtherType, both ways', () => {
  const frame = Buffer.alloc(10 + 14 + 80, 6);
  frame.fill(0, 0, 10);
  for (let type = 0; type < 0x1_0000; type += 1) {
    frame.writeUInt16BE(type, 10 + 12);
    const datagram = Buffer.concat([Buffer.from('0800000000000700', 'hex'), frame.subarray(10)]);
    const fault = faultOut(frame) ?? faultIn([{ payload: datagram, size: undefined }]);
    if (fault !== undefined) throw new Error(`EtherType ${type}: ${fault}`);
  }
  expectClean();
});

/** Runs until `frames` frames went through; checks all of the memory every now and then. */
function runMany(
  frames: number,
  one: (index: number) => { readonly frames: number; readonly fault: string | undefined },
): void {
  const before = process.memoryUsage().rss;
  let sinceCheck = 0;
  for (let done = 0, index = 0; done < frames; index += 1) {
    const result = one(index);
    if (result.fault !== undefined) throw new Error(`seed ${SEED}, step ${index}: ${result.fault}`);
    done += result.frames;
    sinceCheck += result.frames;
    if (sinceCheck < 50_000) continue;
    sinceCheck = 0;
    expectClean();
  }
  expectClean();
  expect(process.memoryUsage().rss - before).toBeLessThan(GROWTH_MAX);
}

test(
  `${FRAMES / 2} damaged frames from a TAP`,
  () => {
    const mutator = new Mutator(SEED);
    runMany(FRAMES / 2, () => {
      const frame = mutator.mutate(TAP_FRAMES[mutator.below(TAP_FRAMES.length)] ?? Buffer.alloc(0), true);
      return { frames: 1, fault: frame.length === 0 ? undefined : faultOut(frame) };
    });
  },
  TIMEOUT_MS,
);

test(
  `${FRAMES / 2} damaged frames from the underlay`,
  () => {
    const mutator = new Mutator(SEED + 1);
    let next = 0;
    const datagram = (): Buffer => {
      // Mostly the next one, so that runs come about, and mostly whole.
      next = mutator.random() < 0.1 ? mutator.below(DATAGRAMS.length) : (next + 1) % DATAGRAMS.length;
      const valid = DATAGRAMS[next] ?? Buffer.alloc(0);
      return mutator.random() < 0.5 ? valid : Buffer.from(mutator.mutate(valid, false));
    };
    const joined = (): Message => {
      const parts = Array.from({ length: 1 + mutator.below(20) }, () => datagram());
      // What UDP_GRO says is right for some of them, and a lie for the others.
      return { payload: Buffer.concat(parts), size: Math.max(1, parts[0]?.length ?? 1) };
    };
    runMany(FRAMES / 2, () => {
      const messages = Array.from({ length: 1 + mutator.below(16) }, () =>
        mutator.random() < 0.3 ? joined() : { payload: datagram(), size: undefined },
      );
      return { frames: messages.length, fault: faultIn(messages) };
    });
  },
  TIMEOUT_MS,
);
