import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatapathState } from '../../src/datapath/state.ts';
import { readDatapath, setDatapath } from '../../src/host/datapath-client.ts';
import { type DatapathQuestion, serveDatapath } from '../../src/host/datapath-server.ts';
import { DatapathWatch } from '../../src/host/datapath-watch.ts';
import { execute } from '../../src/reconcile/steps.ts';

const STATE: DatapathState = { v: 1, vtep: { ip: '192.0.2.1', port: 4789 }, networks: [] };

let folder: string;
let socket: string;
let server: Awaited<ReturnType<typeof serveDatapath>> | undefined;
let asked: DatapathQuestion[];

/** A datapath that takes every state, or refuses each in these words. */
async function serve(refusal?: string): Promise<void> {
  server = await serveDatapath(socket, (question) => {
    asked.push(question);
    if (refusal !== undefined) throw new Error(refusal);
    return { v: 1, pid: 7, state: null, networks: [] };
  });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'datapath-'));
  socket = join(folder, 'dp.sock');
  asked = [];
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

test('a datapath that is not there is no error to ask, and one to tell', async () => {
  expect(await readDatapath(socket)).toBeUndefined();
  await expect(setDatapath(socket, STATE)).rejects.toThrow(
    /dp\.sock: .*ENOENT.*; look at the log of linkspan-datapath/,
  );
});

test('the step tells the whole state to the socket of the bootstrap file', async () => {
  await serve();
  const endpoints = { put: () => {}, remove: () => {} };
  const context = { endpoints, datapathSocket: socket, rememberFirewall: () => {}, releaseLease: async () => {} };
  await execute({ kind: 'datapath.set', object: 'host/datapath', state: STATE }, context);
  expect(asked).toEqual([{ ask: 'set', state: STATE }]);
  // one of an older version, which says less
  expect(await readDatapath(socket)).toMatchObject({ pid: 7, paths: [], batching: null });
});

test('what it refuses is told in its own words', async () => {
  await serve('too many networks');
  await expect(setDatapath(socket, STATE)).rejects.toThrow('too many networks');
});

test('one that comes is noticed, once', async () => {
  let changes = 0;
  await serve();
  const watch = new DatapathWatch({ socket, wanted: () => true, onChange: () => (changes += 1), pollMs: 5 });
  const stop = watch.start();
  for (let wait = 0; asked.length < 4 && wait < 200; wait += 1) await sleep(10);
  stop();
  expect({ changes, latest: watch.latest?.pid }).toEqual({ changes: 1, latest: 7 });
});
