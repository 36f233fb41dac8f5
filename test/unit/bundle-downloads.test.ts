import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { BundleDownloads } from '../../src/host/bundle-downloads.ts';
import { Authority } from './support/certificates.ts';

const BODY = randomBytes(3_000_000);
const signal = new AbortController().signal;
let directory: string;
let servers: Server[];
let asked: IncomingMessage['headers'][];
let downloads: BundleDownloads;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'linkspan-downloads-'));
  downloads = new BundleDownloads(join(directory, 'firmware'));
  servers = [];
  asked = [];
});
afterEach(() => {
  for (const server of servers) server.close().closeAllConnections();
  rmSync(directory, { recursive: true });
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function serve(handle: Handler): Promise<string> {
  const port = await listening(
    createServer((request, response) => {
      asked.push(request.headers);
      handle(request, response);
    }),
  );
  return `http://127.0.0.1:${port}/x.raucb`;
}

/** As any server of files does: ranges where the file is still the same one. */
function file(body: Buffer, tag = '"1"'): Handler {
  return ({ headers }, response) => {
    const from = headers['if-range'] === tag ? Number(/\d+/.exec(headers.range ?? '')?.[0] ?? 0) : 0;
    const range = from > 0 ? { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { etag: tag, 'content-length': body.length - from, ...range });
    response.end(body.subarray(from));
  };
}

/** The line breaks after so many bytes. */
const cut =
  (body: Buffer, after: number, tag = '"1"'): Handler =>
  (_, response) => {
    response.writeHead(200, { etag: tag, 'content-length': body.length });
    response.write(body.subarray(0, after), () => setTimeout(() => response.destroy(), 50));
  };

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const fetched = async (url: string, version?: string): Promise<string> => {
  const wanted = version === undefined ? { url } : { url, version };
  return digest(readFileSync(await downloads.fetch(wanted, () => {}, signal)));
};

test('a bundle comes whole, says how far it is, and is fetched once', async () => {
  const url = await serve(file(BODY));
  const percents: number[] = [];
  const path = await downloads.fetch({ url }, (percent) => void percents.push(percent), signal);
  expect(digest(readFileSync(path))).toBe(digest(BODY));
  expect(percents.at(-1)).toBe(100);
  expect(percents).toEqual(percents.toSorted((a, b) => a - b));
  await fetched(url);
  expect(asked).toHaveLength(1);
});

test('one that was cut off is gone on with', async () => {
  let handle = cut(BODY, 1_000_000);
  const url = await serve((...call) => handle(...call));
  await expect(fetched(url)).rejects.toMatchObject({ code: 'download_failed' });
  handle = file(BODY);
  // as after a restart
  downloads = new BundleDownloads(join(directory, 'firmware'));
  expect(await fetched(url)).toBe(digest(BODY));
  expect(asked[1]).toMatchObject({ 'if-range': '"1"', range: expect.stringMatching(/^bytes=[1-9]\d*-$/) });
});

test('one that has changed meanwhile begins again', async () => {
  let handle = cut(BODY, 1_000_000);
  const url = await serve((...call) => handle(...call));
  await expect(fetched(url)).rejects.toThrow();
  const other = randomBytes(2_000_000);
  handle = file(other, '"2"');
  expect(await fetched(url)).toBe(digest(other));
});

test('a server that knows no ranges, or lies about them, is asked for the whole', async () => {
  let handle = cut(BODY, 1_000_000);
  const url = await serve((...call) => handle(...call));
  await expect(fetched(url)).rejects.toThrow();
  handle = ({ headers }, response) => {
    if (headers.range === undefined) return void response.end(BODY);
    response.writeHead(206, { 'content-range': `bytes 5-${BODY.length - 1}/${BODY.length}` });
    return void response.end(BODY.subarray(5));
  };
  expect(await fetched(url)).toBe(digest(BODY));
});

test.each<[string, Handler]>([
  ['404', (_, response) => void response.writeHead(404).end('no')],
  [
    'ends early',
    (_, response) => void response.writeHead(200, { 'content-length': 9000 }).write('x', () => response.destroy()),
  ],
  ['redirects', ({ url }, response) => void response.writeHead(302, { location: `${url}x` }).end()],
  ['file:', (_, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end()],
])('a server that says %s is an error that names the URL', async (_, handle) => {
  const url = await serve(handle);
  await expect(fetched(url)).rejects.toMatchObject({ code: 'download_failed', object: url });
});

test('nobody there is one, too', async () => {
  await expect(fetched('http://127.0.0.1:9/x')).rejects.toMatchObject({ code: 'download_failed' });
});

test('what does not fit on the disk is not begun', async () => {
  const url = await serve((_, response) => response.writeHead(200, { 'content-length': 2 ** 50 }).flushHeaders());
  await expect(fetched(url)).rejects.toMatchObject({ code: 'no_space', message: expect.stringContaining('MB') });
});

test('the way is given up when it is no longer wanted', async () => {
  const url = await serve(cut(BODY, 10));
  const abort = new AbortController();
  const fetching = downloads.fetch({ url }, () => {}, abort.signal);
  abort.abort();
  await expect(fetching).rejects.toThrow();
});

test('another version at the same URL is another file, and what is not wanted any more is forgotten', async () => {
  let body = BODY;
  const url = await serve((...call) => file(body)(...call));
  await fetched(url, '1.0.0');
  body = randomBytes(1000);
  expect(await fetched(url, '1.1.0')).toBe(digest(body));
  downloads.clear({ url, version: '1.1.0' });
  expect(readdirSync(join(directory, 'firmware'))).toHaveLength(2);
  expect(await fetched(url, '1.1.0')).toBe(digest(body));
  expect(asked).toHaveLength(2);
  downloads.clear();
  expect(readdirSync(join(directory, 'firmware'))).toEqual([]);
  rmSync(join(directory, 'firmware'), { recursive: true });
  downloads.clear();
  expect(existsSync(join(directory, 'firmware'))).toBe(false);
});

test('over TLS the server must be one that the system trusts', async () => {
  const authority = new Authority(directory);
  const { cert, key } = authority.issue('updates');
  const port = await listening(
    createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_, response) => void response.end('fine')),
  );
  const program = `import { openUrl } from ${JSON.stringify(new URL('../../src/host/open-url.ts', import.meta.url))};
    const { signal } = new AbortController();
    const { statusCode } = await openUrl('https://127.0.0.1:${port}/', {}, signal);
    process.stdout.write(String(statusCode)); process.exit()`;
  const asking = (SSL_CERT_FILE: string): Promise<{ stdout: string }> =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { env: { SSL_CERT_FILE } });
  expect((await asking(authority.ca)).stdout).toBe('200');
  await expect(asking('/dev/null')).rejects.toThrow(/self-signed|unable to verify|issuer/);
});
