import http from 'node:http';
import https from 'node:https';
import { getCACertificates, rootCertificates } from 'node:tls';

const REDIRECTS_MAX = 5;
const SILENCE_MS = 60_000;

type Headers = Readonly<Record<string, string>>;

/** The answer to a GET, its body unread; redirects are followed. Certificates are checked by Node's list and the system's. */
export async function openUrl(url: string, headers: Headers, signal: AbortSignal): Promise<http.IncomingMessage> {
  let at = new URL(url);
  for (let hops = 0; hops <= REDIRECTS_MAX; hops += 1) {
    const response = await request(at, headers, signal);
    const { statusCode = 0, headers: answered } = response;
    if (statusCode < 300 || statusCode >= 400 || answered.location === undefined) return response;
    response.destroy();
    at = next(at, answered.location);
  }
  throw new Error(`more than ${REDIRECTS_MAX} redirects`);
}

/** What was asked for over TLS is not fetched without. */
function next(from: URL, location: string): URL {
  const to = new URL(location, from);
  if (to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:')) return to;
  throw new Error(`a redirect from ${from.protocol} to ${to.protocol} is not followed`);
}

function request(url: URL, headers: Headers, signal: AbortSignal): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const silent = (): void => void outgoing.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`));
    const options = { headers, signal, agent: false, timeout: SILENCE_MS } as const;
    const outgoing =
      url.protocol === 'https:' ? https.get(url, { ...options, ca: authorities() }) : http.get(url, options);
    outgoing.once('response', resolve).once('timeout', silent).once('error', reject);
  });
}

let known: string[] | undefined;

/** A plant's own authority stands in the system's list. */
function authorities(): string[] {
  known ??= [...rootCertificates, ...getCACertificates('system')];
  return known;
}
