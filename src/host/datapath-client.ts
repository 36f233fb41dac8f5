import { connect } from 'node:net';
import type { DatapathState } from '../datapath/state.ts';
import type { DatapathStatus } from '../datapath/status.ts';
import { LinkspanError, messageOf } from '../service/errors.ts';
import type { DatapathAnswer, DatapathQuestion } from './datapath-server.ts';

const TIMEOUT_MS = 5000;

/** What the datapath process at `socket` says of itself, or undefined where none answers. */
export async function readDatapath(socket: string): Promise<DatapathStatus | undefined> {
  const answer = await ask(socket, { ask: 'status' }).catch(() => undefined);
  if (answer?.ok !== true) return undefined;
  // One of an older version says less, and goes on while linkspand is upgraded.
  return { batching: null, paths: [], ...(answer.value as Partial<DatapathStatus>) } as DatapathStatus;
}

/**
 * Tells the datapath process its whole state; resolves when frames flow by it.
 * @throws LinkspanError where it does not answer or refuses
 */
export async function setDatapath(socket: string, state: DatapathState): Promise<void> {
  const answer = await ask(socket, { ask: 'set', state }).catch((error: unknown) => {
    throw failed(socket, messageOf(error), error);
  });
  if (!answer.ok) throw failed(socket, answer.why, undefined);
}

/** One question, one answer; rejects where nobody answers in time. */
export function ask(socket: string, question: DatapathQuestion): Promise<DatapathAnswer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const connection = connect(socket, () => connection.write(`${JSON.stringify(question)}\n`));
    connection.setEncoding('utf8');
    connection.setTimeout(TIMEOUT_MS, () => {
      connection.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`));
    });
    connection.on('data', (chunk: string) => (text += chunk));
    connection.on('error', reject);
    connection.on('end', () => {
      try {
        resolve(JSON.parse(text) as DatapathAnswer);
      } catch (cause) {
        reject(new Error('its answer is cut off or no JSON; is another program serving there?', { cause }));
      }
    });
  });
}

function failed(socket: string, reason: string, cause: unknown): LinkspanError {
  const remedy = 'look at the log of linkspan-datapath.service; the next cycle tries again';
  return new LinkspanError({ code: 'datapath_failed', object: socket, reason, remedy, cause });
}
