import type { IClientOptions } from 'mqtt';
import { explain } from '../control/session/broker-error.ts';
import { readCredentials } from '../control/session/credentials.ts';
import { messageOf } from '../service/errors.ts';
import type { Statement } from '../trust/fleet-directory.ts';
import { CliError, EXIT } from './exit.ts';
import type { Output } from './output.ts';
import { option, type Values } from './verb.ts';

const TIMEOUT_MS = 10_000;

/** Publishes the statements where `--broker` is given, or prints them: for each a line of the topic and one of the payload. */
export async function publishOrPrint(
  statements: readonly Statement[],
  { values, output, json, retain = true }: { values: Values; output: Output; json: boolean; retain?: boolean },
): Promise<void> {
  const url = option(values, 'broker');
  const texts = statements.map(({ topic, payload }) => ({ topic, payload: payload.toString(), retain }));
  if (url !== undefined) await publish(url, values, statements, retain);
  if (json) output.json(texts.length === 1 ? texts[0] : texts);
  else if (url !== undefined) for (const { topic } of texts) output.line(`published ${topic}`);
  else for (const line of texts.flatMap(({ topic, payload }) => [topic, asAscii(payload)])) output.line(line);
}

/** The same JSON without any character that a terminal acts on, or that output would make visible and so another. */
function asAscii(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

async function publish(url: string, values: Values, statements: readonly Statement[], retain: boolean): Promise<void> {
  try {
    if (!isPlain(url)) throw new CliError(EXIT.usage, '--broker: give it as mqtt://HOST:PORT or mqtts://HOST:PORT');
    // Loaded only where it is wanted: most commands need no broker.
    const { send } = await import('./send.ts');
    await send(url, await optionsOf(values), statements, retain);
  } catch (error) {
    throw error instanceof CliError ? error : new CliError(EXIT.failed, explain(error, url).message);
  }
}

/** Whether it is a broker's URL, and without a password: those on a command line are for everybody to read. */
function isPlain(given: string): boolean {
  const url = URL.parse(given);
  return url !== null && /^(mqtts?|wss?):$/.test(url.protocol) && url.username === '' && url.password === '';
}

async function optionsOf(values: Values): Promise<IClientOptions> {
  const of = (name: string): string => option(values, name) ?? '';
  const credentials = await readCredentials({
    username: of('username'),
    passwordFile: of('password-file'),
    ca: of('ca'),
    cert: of('cert'),
    key: of('cert-key'),
  }).catch((error: unknown) => {
    throw new CliError(EXIT.failed, messageOf(error));
  });
  return { ...credentials, reconnectPeriod: 0, connectTimeout: TIMEOUT_MS };
}
