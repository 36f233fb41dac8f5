import { request } from 'node:http';

export type HttpAnswer = { readonly code: number; readonly body: string };

/** One GET over a unix socket; rejects where nobody listens. */
export function getOverSocket(socketPath: string, path: string): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, timeout: 5000, agent: false }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (body += chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ code: answer.statusCode ?? 0, body }));
    });
    call.on('timeout', () => call.destroy(new Error(`${socketPath}: no answer to GET ${path} within 5 s`)));
    call.on('error', reject);
    call.end();
  });
}
