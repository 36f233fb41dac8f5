import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from '@jest/globals';
import { openStore } from '../../src/store/store.ts';

const directory = mkdtempSync(join(tmpdir(), 'linkspan-store-'));
const log = { warn: () => undefined };
const writer = new URL('store-writer.child.ts', import.meta.url).pathname;

afterAll(() => rmSync(directory, { recursive: true }));

/** A process that writes documents without end; `last` is the newest it was told to be stored. */
async function startWriter(path: string): Promise<{ child: ChildProcess; last: () => number }> {
  const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(child.stdout, 'data');
  return { child, last: () => Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1)) };
}

async function killHard(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

test('kill -9 while writing loses no accepted document', async () => {
  const path = join(directory, 'kill.db');
  for (let round = 0; round < 6; round += 1) {
    const { child, last } = await startWriter(path);
    await sleep(5 + 17 * round);
    await killHard(child);
    const store = openStore(path, log);
    const newest = store.documents.current()?.version ?? 0;
    expect(store.recovered).toBeNull();
    // One more may have reached the disk before it could be said.
    expect([last(), last() + 1]).toContain(newest);
    expect(store.documents.current()?.body).toHaveLength(20_000);
    expect(store.documents.lastKnownGood()?.version ?? 0).toBeGreaterThanOrEqual(newest - 3);
    store.close();
  }
});

test('a second instance is refused, and free to start after kill -9 of the first', async () => {
  const path = join(directory, 'lock.db');
  const { child } = await startWriter(path);
  expect(() => openStore(path, log)).toThrow(expect.objectContaining({ code: 'state_in_use' }));
  await killHard(child);
  openStore(path, log).close();
});

test('a second instance in the same process is refused, by another name of the file too', () => {
  const path = join(directory, 'same.db');
  const store = openStore(path, log);
  expect(() => openStore(join(directory, '.', 'x', '..', 'same.db'), log)).toThrow(/another Linkspan instance/);
  store.close();
  openStore(path, log).close();
});
