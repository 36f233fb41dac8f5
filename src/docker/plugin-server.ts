import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ListenOptions } from 'node:net';
import { bindUnix, listening } from '../host/unix-socket.ts';
import { asFields } from '../model/fields.ts';
import { LinkspanError, messageOf } from '../service/errors.ts';
import type { Method } from './methods.ts';

/** Docker waits for a plugin's answer for ever, at its own start too. */
const ANSWER_MS = 8000;
const BODY_MAX = 1024 * 1024;
/** Calls that Docker makes without a body. */
const BARE = /\.(Activate|GetCapabilities|GetDefaultAddressSpaces)$/;
const TYPE = 'application/vnd.docker.plugins.v1.2+json';

export type PluginServer = { close(): Promise<void> };

/**
 * Serves Docker's plugin protocol: POST with a JSON body, and 200 with a JSON object whatever comes of it.
 * @param where the path of the socket, or the descriptor of one that systemd has opened
 * @throws LinkspanError where it cannot be served on
 */
export async function servePlugin(
  where: string | number,
  methods: ReadonlyMap<string, Method>,
  onError: (call: string, error: unknown) => void,
): Promise<PluginServer> {
  // Docker keeps its connection; one that were closed when idle would be made anew at each attach, or be closed as it calls.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    response.on('error', () => response.destroy());
    void exchange(request, response, methods, onError);
  });
  if (typeof where === 'string') await bindUnix(server, where);
  else await listening(server, { fd: where } as ListenOptions, `descriptor ${where}`);
  return { close: () => closed(server) };
}

async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  methods: ReadonlyMap<string, Method>,
  onError: (call: string, error: unknown) => void,
): Promise<void> {
  const call = request.url ?? '';
  const method = methods.get(call);
  // 404 tells Docker that there is no such call, some of which it can do without.
  if (request.method !== 'POST' || method === undefined) return send(response, 404, { Err: `${call} is not offered` });
  const answer = await answerOf(request, method).catch((error: unknown) => {
    onError(call, error);
    const text = messageOf(error);
    // The network half of Docker reads the one, the IPAM half the other.
    return { Err: text, Error: text };
  });
  send(response, 200, answer);
}

/** Docker wants an object even where there is nothing to say. */
async function answerOf(request: IncomingMessage, method: Method): Promise<object> {
  const text = await readBody(request);
  if (text === '' && !BARE.test(request.url ?? '')) throw contentLost();
  const fields = asFields('request', text === '' ? {} : parsed(text));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow()), ANSWER_MS);
  });
  try {
    return (await Promise.race([method(fields), late])) ?? {};
  } finally {
    clearTimeout(timer);
  }
}

/** By events: an iterator over the stream was measured to cost each call a third of its time. */
function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > BODY_MAX) request.destroy(invalid(`is larger than ${BODY_MAX} bytes`));
      else chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString()));
    request.on('error', reject);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('is no JSON');
  }
}

function invalid(reason: string): LinkspanError {
  return new LinkspanError({ code: 'invalid', object: 'the request', reason, remedy: 'send what the protocol says' });
}

/** Docker repeats a call whose connection broke, but its first try has used up the content (20.10, measured). */
function contentLost(): LinkspanError {
  return new LinkspanError({
    code: 'content_lost',
    object: "Docker's call",
    reason: 'came again without its content, since linkspand ended while it was being answered',
    remedy: 'repeat the command',
  });
}

function tooSlow(): LinkspanError {
  return new LinkspanError({
    code: 'timeout',
    object: 'linkspand',
    reason: `has not done it within ${ANSWER_MS / 1000} s`,
    remedy: 'look at its log, and try again',
  });
}

function send(response: ServerResponse, status: number, answer: object): void {
  const body = JSON.stringify(answer);
  response.writeHead(status, { 'content-type': TYPE, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
