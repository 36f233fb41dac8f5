/** What the client's hook tells: an event and the variables that come with it, as the client wrote them. */
export type DhcpEvent = { readonly name: DhcpEventName; readonly variables: DhcpVariables };

/** The server's options by udhcpc's names (`ip`, `subnet`, `router`, …): hostile until parsed. */
export type DhcpVariables = Readonly<Record<string, string>>;

const NAMES = ['deconfig', 'bound', 'renew', 'nak', 'leasefail'] as const;
export type DhcpEventName = (typeof NAMES)[number];

/** Ten times what the options of the largest answer give; more is no record of the hook's. */
const RECORD_MAX = 65_536;

/**
 * Takes the hook's stream apart. Each record is an environment, `NAME=VALUE` ended by a zero byte each, and after the
 * last an empty one; `linkspan_event` names the event. What is no such record is left out.
 */
export class DhcpEventReader {
  #rest = '';

  /** The events that are complete with this piece. Bytes are taken as Latin-1: an option may hold any. */
  push(chunk: Uint8Array): readonly DhcpEvent[] {
    const records = (this.#rest + Buffer.from(chunk).toString('latin1')).split('\0\0');
    const rest = records.pop() ?? '';
    this.#rest = rest.length > RECORD_MAX ? '' : rest;
    return records.flatMap(parseRecord);
  }
}

function parseRecord(record: string): readonly DhcpEvent[] {
  const variables: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const entry of record.split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0) variables[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  const name = NAMES.find((each) => each === variables['linkspan_event']);
  return name === undefined ? [] : [{ name, variables }];
}
