import dgram from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { decode, encode } from 'dns-packet';
import { HostNameservers, parseNameservers } from '../../src/host/resolv-conf.ts';
import { Limit } from '../../src/resolver/limit.ts';
import { Rate } from '../../src/resolver/rate.ts';
import { HostUpstream } from '../../src/resolver/upstream.ts';

const QUERY = encode({ type: 'query', id: 77, flags: 0x0100, questions: [{ name: 'www.example.com', type: 'A' }] });
const opened: dgram.Socket[] = [];
afterEach(() => {
  for (const socket of opened.splice(0)) socket.close();
});

type Act = (query: Buffer, reply: (message: Buffer) => void) => void;

/** A server at 127.0.0.x on one port for all of a test; the first picks it. */
async function server(address: string, port: number, act: Act): Promise<number> {
  const socket = dgram.createSocket('udp4');
  opened.push(socket);
  socket.on('message', (query, from) => act(query, (message) => socket.send(message, from.port, from.address)));
  await new Promise<void>((resolve) => socket.bind(port, address, resolve));
  return socket.address().port;
}
const answered = (query: Buffer, data: string, flags = 0x0180): Buffer => {
  const { id = 0, questions = [] } = decode(query);
  const answers = [{ type: 'A' as const, name: 'www.example.com', ttl: 1, data }];
  return encode({ type: 'response', id, flags, questions, answers });
};
const dataOf = (answer: Buffer | undefined): unknown =>
  answer && decode(answer).answers?.map((a) => 'data' in a && a.data);

test('the answer bears the asker’s id, whatever id and port went out', async () => {
  const ids = new Set<number>();
  const port = await server('127.0.0.1', 0, (query, reply) => {
    ids.add(query.readUInt16BE(0));
    reply(answered(query, '192.0.2.1'));
  });
  const upstream = new HostUpstream({ list: async () => ['127.0.0.1'] }, port);
  for (let n = 0; n < 5; n += 1) {
    const answer = await upstream.ask(QUERY, false);
    expect(answer?.readUInt16BE(0)).toBe(77);
    expect(dataOf(answer)).toEqual(['192.0.2.1']);
  }
  expect(ids.size).toBeGreaterThan(2);
});

test('forged answers are passed over: another id, another question, another source', async () => {
  const port = await server('127.0.0.1', 0, (query, reply) => {
    const wrong = answered(query, '192.0.2.66');
    wrong.writeUInt16BE(wrong.readUInt16BE(0) ^ 1, 0);
    reply(wrong);
    const { id = 0 } = decode(query);
    reply(encode({ type: 'response', id, questions: [{ name: 'evil.example.com', type: 'A' }] }));
    reply(Buffer.from('noise'));
    setTimeout(() => reply(answered(query, '192.0.2.1')), 50);
  });
  const upstream = new HostUpstream({ list: async () => ['127.0.0.1'] }, port);
  expect(dataOf(await upstream.ask(QUERY, false))).toEqual(['192.0.2.1']);
});

test('where nobody listens, or a server cannot help, the next is asked at once; a refusal is better than nothing', async () => {
  const port = await server('127.0.0.2', 0, (query, reply) => reply(answered(query, '192.0.2.2', 0x0182)));
  await server('127.0.0.3', port, (query, reply) => reply(answered(query, '192.0.2.3')));
  const started = performance.now();
  const all = new HostUpstream({ list: async () => ['127.0.0.9', '127.0.0.2', '127.0.0.3'] }, port);
  expect(dataOf(await all.ask(QUERY, false))).toEqual(['192.0.2.3']);
  expect(performance.now() - started).toBeLessThan(1000);
  const bad = new HostUpstream({ list: async () => ['127.0.0.9', '127.0.0.2'] }, port);
  expect((await bad.ask(QUERY, false))?.readUInt16BE(2)).toBe(0x8182);
  const none = new HostUpstream({ list: async () => [] }, port);
  expect(await none.ask(QUERY, false)).toBeUndefined();
});

test('silent servers cost less than five seconds in all', async () => {
  const port = await server('127.0.0.1', 0, () => undefined);
  const silent = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];
  for (const address of silent) await server(address, port, () => undefined);
  const started = performance.now();
  const upstream = new HostUpstream({ list: async () => ['127.0.0.1', ...silent] }, port);
  expect(await upstream.ask(QUERY, false)).toBeUndefined();
  // five at 1.5 s each take longer, even where a busy machine adds a second
  expect(performance.now() - started).toBeLessThan(7000);
});

test('resolv.conf: three servers at most, in order; other lines and wrong addresses are nothing', () => {
  const text =
    'search a\n#nameserver 1.1.1.1\nnameserver 10.0.0.1 # x\nnameserver x\n nameserver fe80::1%eth0\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n';
  expect(parseNameservers(text)).toEqual(['10.0.0.1', 'fe80::1%eth0', '10.0.0.3']);
});

test('resolv.conf is read anew when it changes, and may be missing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'linkspan-names-'));
  try {
    const file = join(folder, 'resolv.conf');
    const servers = new HostNameservers(file);
    expect(await servers.list()).toEqual([]);
    writeFileSync(file, 'nameserver 10.0.0.1\n');
    expect(await servers.list()).toEqual(['10.0.0.1']);
    writeFileSync(file, 'nameserver 10.0.0.22\n');
    expect(await servers.list()).toEqual(['10.0.0.22']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the rate holds for each second', () => {
  let now = 0;
  const rate = new Rate(2, () => now);
  expect([rate.admit(), rate.admit(), rate.admit()]).toEqual([true, true, false]);
  now = 999;
  expect(rate.admit()).toBe(false);
  now = 1000;
  expect([rate.admit(), rate.admit(), rate.admit()]).toEqual([true, true, false]);
});

test('the limit holds for each and for all', () => {
  const limit = new Limit(3, 2);
  expect(['a', 'a', 'a', 'b', 'b'].map((owner) => limit.enter(owner))).toEqual([true, true, false, true, false]);
  limit.leave('a');
  expect(limit.enter('b')).toBe(true);
  expect(limit.enter('a')).toBe(false);
});
