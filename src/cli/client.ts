import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { messageOf } from '../service/errors.ts';
import type { Problem } from '../model/problem.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';

const TIMEOUT_MS = 60_000;

type ProblemDocument = { readonly detail?: string; readonly errors?: readonly Problem[] };

/** The service, over its control socket. Every call throws a CliError that carries the exit code to end with. */
export class Client {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  async get<T>(path: string): Promise<T> {
    return this.#json<T>(await this.#send('GET', path));
  }

  async post<T>(path: string, body: string): Promise<T> {
    return this.#json<T>(await this.#send('POST', path, body));
  }

  /** An answer without an end, as its bytes come. */
  async stream(path: string): Promise<IncomingMessage> {
    const response = await this.#send('GET', path);
    if (response.statusCode !== 200) throw failure(response, await text(response));
    return response;
  }

  /** The data of each server-sent event, until the service ends the stream. */
  async *follow(path: string): AsyncGenerator<string> {
    const response = await this.#send('GET', path, undefined, 'text/event-stream');
    if (response.statusCode !== 200) throw failure(response, await text(response));
    let pending = '';
    try {
      for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
        const lines = (pending + chunk).split('\n');
        pending = lines.pop() ?? '';
        for (const line of lines) if (line.startsWith('data: ')) yield line.slice('data: '.length);
      }
    } catch (error) {
      throw cutOff(error);
    }
  }

  async #json<T>(response: IncomingMessage): Promise<T> {
    const body = await text(response).catch((error: unknown) => Promise.reject(cutOff(error)));
    if ((response.statusCode ?? 500) >= 300) throw failure(response, body);
    try {
      return JSON.parse(body) as T;
    } catch {
      throw new CliError(EXIT.failed, `${this.#socket}: the answer is not JSON; is another program serving there?`);
    }
  }

  #send(method: string, path: string, body?: string, accept = 'application/json'): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = {
        host: 'localhost',
        accept,
        ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
      };
      const outgoing = request({ socketPath: this.#socket, path, method, headers, agent: false }, (response) => {
        outgoing.setTimeout(0);
        resolve(response);
      });
      outgoing.setTimeout(TIMEOUT_MS, () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
      outgoing.once('error', (error: NodeJS.ErrnoException) => reject(this.#unreachable(error)));
      outgoing.end(body);
    });
  }

  #unreachable(error: NodeJS.ErrnoException): CliError {
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      const remedy = 'start it with systemctl start linkspan, or name its socket with --socket';
      return new CliError(EXIT.notRunning, `the service is not running on ${this.#socket}; ${remedy}`);
    }
    if (error.code === 'EACCES' || error.code === 'EPERM') {
      return new CliError(
        EXIT.failed,
        `${this.#socket}: permission denied; run this as root or as a member of the socket's group`,
      );
    }
    return new CliError(EXIT.failed, `${this.#socket}: ${error.message}`);
  }
}

const EXIT_OF_STATUS: Readonly<Record<number, ExitCode>> = {
  400: EXIT.refused,
  404: EXIT.notFound,
  409: EXIT.refused,
  413: EXIT.refused,
  422: EXIT.refused,
};

function cutOff(error: unknown): CliError {
  return new CliError(EXIT.notRunning, `the service closed the connection: ${messageOf(error)}`);
}

function failure(response: IncomingMessage, body: string): CliError {
  const status = response.statusCode ?? 500;
  const document = parseProblem(body);
  const errors = (document?.errors ?? []).map((one) => `${one.path || '/'}: ${one.message} (${one.code})`);
  const detail = document?.detail ?? `the service answered ${status}`;
  // The message of a single refusal is its detail already.
  const lines = status === 422 ? [detail, ...errors] : [detail];
  return new CliError(EXIT_OF_STATUS[status] ?? EXIT.failed, lines.join('\n'), document);
}

function parseProblem(body: string): ProblemDocument | undefined {
  try {
    return JSON.parse(body) as ProblemDocument;
  } catch {
    return undefined;
  }
}
