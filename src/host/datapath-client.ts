import { request } from 'node:http';
import type { DatapathState } from '../datapath/state.ts';
import type { DatapathStatus } from '../datapath/status.ts';
import { LinkspanError } from '../service/errors.ts';

const TIMEOUT_MS = 5000;

/** What the datapath process at `socket` says of itself, or undefined where none answers. */
export async function readDatapath(socket: string): Promise<DatapathStatus | undefined> {
  try {
    const { code, body } = await exchange(socket, 'GET', '/v1/status', '');
    return code === 200 ? (JSON.parse(body) as DatapathStatus) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Tells the datapath process its whole state.
 * @throws LinkspanError where it does not answer or refuses
 */
export async function setDatapath(socket: string, state: DatapathState): Promise<void> {
  const { code, body } = await exchange(socket, 'POST', '/v1/state', JSON.stringify(state)).catch((error: Error) => {
    throw unreachable(socket, error.message, error);
  });
  if (code !== 200) throw unreachable(socket, body, undefined);
}

function exchange(
  socketPath: string,
  method: string,
  path: string,
  body: string,
): Promise<{ code: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const call = request({ socketPath, method, path, headers, timeout: TIMEOUT_MS, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    call.on('error', reject);
    call.end(body);
  });
}

function unreachable(socket: string, reason: string, cause: unknown): LinkspanError {
  const remedy = 'look at the log of linkspan-datapath.service; the next cycle tries again';
  return new LinkspanError({ code: 'datapath_failed', object: socket, reason, remedy, cause });
}
