import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { TunnelEchoes } from '../../src/control/probes/tunnel-echoes.ts';
import type { Mac } from '../../src/model/mac.ts';
import { answeredSequence } from '../../src/packet/tunnel-probe.ts';

const SEED = Number(process.env['LINKSPAN_FUZZ_SEED'] ?? 20_261_124);
const RUNS = 20_000;
const TARGET = { port: 1, from: '02:00:00:00:00:0a' as Mac, to: '02:00:00:00:00:0b' as Mac };

test('whatever comes in is an answer only if it is the request, sent back, to the byte', () => {
  const came: Buffer[] = [];
  let request = Buffer.alloc(0);
  const echoes = new TunnelEchoes(() => ({
    send: (frame) => {
      request = Buffer.from(frame);
    },
    receive: () => came.splice(0).map((frame) => ({ frame, age: 0 })),
    close: () => undefined,
  }));
  expect(echoes.ready()).toBe(true);
  const any = fc.uint8Array({ maxLength: 128 }).map((bytes) => Buffer.from(bytes));
  const bent = fc.tuple(fc.nat(59), fc.integer({ min: 1, max: 255 }), fc.nat(70));
  fc.assert(
    fc.property(any, bent, (noise, [at, bits, length]) => {
      const sequence = echoes.send('198.51.100.2', TARGET);
      const answer = Buffer.concat([request.subarray(6, 12), request.subarray(0, 6), request.subarray(12)]);
      answer.writeUInt8(2, 18);
      const changed = Buffer.from(answer);
      changed.writeUInt8(changed.readUInt8(at) ^ bits, at);
      const cut = Buffer.concat([answer, Buffer.alloc(10)]).subarray(0, length === 60 ? 61 : length);
      came.push(noise, changed, cut, request);
      expect(echoes.receive()).toEqual([]);
      came.push(answer, answer);
      expect(echoes.receive()).toEqual([{ ip: '198.51.100.2', sequence, age: 0 }]);
      expect([answeredSequence(answer), answeredSequence(noise)]).toEqual([sequence, undefined]);
    }),
    { seed: SEED, numRuns: RUNS },
  );
});
