import dgram from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode } from 'dns-packet';

// A resolver's client as a program: asks 127.0.0.11 for A records COUNT times, every INTERVAL ms, all from one socket
// as musl does, each again after 250 ms without an answer and for 5 seconds at most. Prints one line of JSON.
// Usage: asker.ts COUNT INTERVAL NAME…
const [count = 1, interval = 0] = process.argv.slice(2, 4).map(Number);
const names = process.argv.slice(4);
const [RETRY_MS, PATIENCE_MS, PORT] = [250, 5000, 53];

const socket = dgram.createSocket('udp4');
const waiting = new Map<number, () => void>();
socket.on('message', (message) => waiting.get(message.readUInt16BE(0))?.());
socket.on('error', () => undefined);

async function ask(id: number): Promise<number> {
  const name = names[id % names.length] ?? '';
  const query = encode({ type: 'query', id, flags: 0x0100, questions: [{ type: 'A', name }] });
  const started = performance.now();
  const answered = new Promise<'answered'>((resolve) => waiting.set(id, () => resolve('answered')));
  while (performance.now() - started < PATIENCE_MS) {
    socket.send(query, PORT, '127.0.0.11', () => undefined);
    if ((await Promise.race([answered, sleep(RETRY_MS, 'silent')])) === 'answered') return performance.now() - started;
  }
  return Number.POSITIVE_INFINITY;
}

const asked: Promise<number>[] = [];
for (let id = 0; id < count; id += 1) {
  asked.push(ask(id));
  if (interval > 0) await sleep(interval);
}
const times = await Promise.all(asked);
const failed = times.filter((ms) => !Number.isFinite(ms)).length;
const slowestMs = Math.round(Math.max(0, ...times.filter((ms) => Number.isFinite(ms))));
process.stdout.write(`${JSON.stringify({ count, failed, slowestMs })}\n`);
socket.close();
