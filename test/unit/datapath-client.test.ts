import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatapathState } from '../../src/datapath/state.ts';
import { readDatapath, setDatapath } from '../../src/host/datapath-client.ts';
import { DatapathWatch } from '../../src/host/datapath-watch.ts';
import { execute } from '../../src/reconcile/steps.ts';

const STATE: DatapathState = { v: 1, vtep: { ip: '192.0.2.1', port: 4789 }, networks: [] };

let folder: string;
let socket: string;
let server: Server | undefined;
let asked: string[];

/** A datapath that takes every state, or answers with `code`. */
async function serve(code = 200): Promise<void> {
  server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${Buffer.concat(chunks).toString()}`);
      reply
        .writeHead(code)
        .end(code === 200 ? JSON.stringify({ v: 1, pid: 7, state: null, networks: [] }) : 'too many networks');
    });
  });
  await new Promise<void>((resolve) => server?.listen(socket, resolve));
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'datapath-'));
  socket = join(folder, 'dp.sock');
  asked = [];
});

afterEach(async () => {
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
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
  const context = { endpoints, datapathSocket: socket, rememberFirewall: () => {} };
  await execute({ kind: 'datapath.set', object: 'host/datapath', state: STATE }, context);
  expect(asked).toEqual([`POST /v1/state ${JSON.stringify(STATE)}`]);
  expect(await readDatapath(socket)).toMatchObject({ pid: 7 });
});

test('what it refuses is told in its own words', async () => {
  await serve(400);
  await expect(setDatapath(socket, STATE)).rejects.toThrow('too many networks');
});

test('one that comes is noticed, once', async () => {
  let changes = 0;
  await serve();
  const watch = new DatapathWatch({ socket, wanted: () => true, onChange: () => (changes += 1), pollMs: 5 });
  const stop = watch.start();
  for (let wait = 0; asked.length < 4 && wait < 200; wait += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  stop();
  expect({ changes, latest: watch.latest?.pid }).toEqual({ changes: 1, latest: 7 });
});
