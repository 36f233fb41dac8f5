import { type IncomingMessage, request } from 'node:http';
import { LinkspanError, messageOf } from '../service/errors.ts';

const ANSWER_MS = 10_000;
const BODY_MAX = 32 * 1024 * 1024;

/**
 * One GET of Docker's engine over its socket: the parsed JSON, which nobody has checked, or undefined where it has no
 * such object.
 * @throws LinkspanError where it does not answer, or refuses
 */
export async function askEngine(socket: string, path: string): Promise<unknown> {
  try {
    const answer = await open(socket, path, AbortSignal.timeout(ANSWER_MS));
    if (answer.statusCode === 404) return undefined;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > BODY_MAX) throw new Error(`more than ${BODY_MAX} bytes`);
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
  } catch (error) {
    throw failed(socket, path, error);
  }
}

/**
 * Calls `onLine` for each event of the engine (one JSON text a line) until it goes away or `signal` is aborted; `onOpen`
 * once it listens, so that nothing between a look at the engine and its events is missed.
 * @throws LinkspanError where the engine does not answer; returns where it ended
 */
export async function followEngine(
  socket: string,
  path: string,
  handlers: { readonly onOpen: () => void; readonly onLine: (line: string) => void },
  signal: AbortSignal,
): Promise<void> {
  const answer = await open(socket, path, signal).catch((error: unknown) =>
    Promise.reject(failed(socket, path, error)),
  );
  handlers.onOpen();
  let rest = '';
  answer.setEncoding('utf8');
  try {
    for await (const text of answer as AsyncIterable<string>) {
      const lines = (rest + text).split('\n');
      rest = (lines.pop() ?? '').slice(-BODY_MAX);
      for (const line of lines) handlers.onLine(line);
    }
  } catch {
    // A stream that breaks off is an engine that went away, as one that ends.
  }
}

function open(socketPath: string, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, signal, agent: false, headers: { host: 'docker' } }, (answer) => {
      if (answer.statusCode === 200 || answer.statusCode === 404) return resolve(answer);
      answer.resume();
      reject(new Error(`status ${answer.statusCode}`));
    });
    call.on('error', reject);
    call.end();
  });
}

function failed(socket: string, path: string, cause: unknown): LinkspanError {
  return new LinkspanError({
    code: 'engine_silent',
    object: `Docker's engine at ${socket}`,
    reason: `does not answer ${path.split('?')[0] ?? ''} (${messageOf(cause)})`,
    remedy: 'start docker.service, or set docker.engineSocket to its socket, or to nothing',
    cause,
  });
}
