import { createServer, type Server, type Socket } from 'node:net';
import { bindUnix } from './unix-socket.ts';

/** Longest question, bytes: a state of all peers and MACs that a gateway can have is some 2 MB. */
const QUESTION_MAX = 16 * 1024 * 1024;

/** A question to the datapath and what it answers: one line of JSON each, on a connection of its own. */
export type DatapathQuestion = { readonly ask: 'status' } | { readonly ask: 'set'; readonly state: unknown };
export type DatapathAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly why: string };

/**
 * Answers questions on a unix socket. Not HTTP: Node's costs 15 MB of memory, a quarter of what the datapath may use.
 * @param answer what it throws is told to whoever asked
 * @throws LinkspanError where the path cannot be listened on
 */
export async function serveDatapath(
  path: string,
  answer: (question: DatapathQuestion) => unknown,
): Promise<{ close(): Promise<void> }> {
  const connections = new Set<Socket>();
  const server = createServer((connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    // A client that goes away in mid-answer is its own affair.
    connection.on('error', () => connection.destroy());
    converse(connection, answer);
  });
  await bindUnix(server, path);
  return { close: () => closed(server, connections) };
}

function converse(connection: Socket, answer: (question: DatapathQuestion) => unknown): void {
  let text = '';
  connection.setEncoding('utf8');
  connection.on('data', (chunk: string) => {
    text += chunk;
    if (text.length > QUESTION_MAX) connection.destroy();
    const end = text.indexOf('\n');
    if (end < 0) return;
    connection.removeAllListeners('data');
    void reply(connection, text.slice(0, end), answer);
  });
}

async function reply(connection: Socket, line: string, answer: (question: DatapathQuestion) => unknown): Promise<void> {
  const told: DatapathAnswer = await Promise.resolve()
    .then(() => answer(JSON.parse(line) as DatapathQuestion))
    .then((value) => ({ ok: true as const, value }))
    .catch((error: unknown) => ({ ok: false as const, why: error instanceof Error ? error.message : String(error) }));
  connection.end(`${JSON.stringify(told)}\n`);
}

function closed(server: Server, connections: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const connection of connections) connection.destroy();
  });
}
