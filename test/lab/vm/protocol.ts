import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import type { HttpAnswer } from '../over-socket.ts';
import type { Order } from '../spawn.ts';

/** What a lab asks of the VM; `id` is its own choice, and answers carry it. */
export type Request =
  | ({ readonly op: 'start'; readonly id: number } & Order)
  | { readonly op: 'kill'; readonly id: number; readonly signal: NodeJS.Signals }
  | { readonly op: 'get'; readonly id: number; readonly socket: string; readonly path: string }
  /** the lab is gone: what it started is ended */
  | { readonly op: 'leave' };

/** Of a program comes `started`, its output in base 64, and last `ended`; or only `failed`, of a GET too. */
export type Event =
  | { readonly id: number; readonly event: 'started'; readonly pid: number }
  | { readonly id: number; readonly event: 'output'; readonly stream: 'stdout' | 'stderr'; readonly bytes: string }
  | { readonly id: number; readonly event: 'ended'; readonly code: number | string }
  | { readonly id: number; readonly event: 'answer'; readonly answer: HttpAnswer }
  | { readonly id: number; readonly event: 'failed'; readonly message: string };

/** The VM's first line: from then on it takes requests. */
export const READY = 'ready';

// On the one serial port of the VM each line is a lab's number, a space, and a request or an event as JSON.

export const framed = (lab: string, message: Request | Event): string => `${lab} ${JSON.stringify(message)}\n`;

export function unframed(line: string): { readonly lab: string; readonly json: string } {
  const space = line.indexOf(' ');
  return { lab: line.slice(0, space), json: line.slice(space + 1) };
}

/** Has `take` called with each line; that a stream breaks off is told by its `close` alone. */
export function onLine(stream: Readable, take: (line: string) => void): void {
  stream.on('error', () => undefined);
  createInterface({ input: stream })
    .on('line', take)
    .on('error', () => undefined);
}
