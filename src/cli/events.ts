import type { GatewayEvent } from '../model/status.ts';
import { visible } from '../model/text.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';
import type { Colour, Output } from './output.ts';
import type { Invocation, Verb } from './verb.ts';

export const EVENT_VERBS: readonly Verb[] = [
  {
    name: 'events',
    usage: '[-f]',
    summary: 'the last events; -f goes on with each new one',
    arity: [0, 0],
    options: { follow: { type: 'boolean', short: 'f' } },
    run: (invocation) => (invocation.values['follow'] === true ? follow(invocation) : list(invocation)),
  },
];

async function list({ client, output, json }: Invocation): Promise<ExitCode> {
  const events = await client.get<readonly GatewayEvent[]>('/v1/events?once=1');
  if (json) output.json(events);
  else for (const event of events) print(output, event);
  return EXIT.ok;
}

async function follow({ client, output, json }: Invocation): Promise<ExitCode> {
  for await (const data of client.follow('/v1/events')) {
    const event = JSON.parse(data) as GatewayEvent;
    if (json) output.jsonLine(event);
    else print(output, event);
  }
  throw new CliError(EXIT.notRunning, 'the service ended the event stream');
}

const COLOURS: Readonly<Record<GatewayEvent['level'], Colour>> = { info: 'dim', warning: 'yellow', error: 'red' };

function print(output: Output, event: GatewayEvent): void {
  const level = output.paint(COLOURS[event.level], visible(event.level).padEnd(7));
  output.painted(`${visible(event.time)} ${level} ${visible(event.type)}: ${visible(event.message)}`);
}
