import { parseIp } from '../model/ip.ts';
import type { Protocol, PublishedPort } from '../model/network.ts';

const PORT_MAX = 65_535;
const FORM = /^(?:(?<four>[\d.]+):|\[(?<six>[^\]]+)\]:)?(?<host>[\d-]+):(?<inside>[\d-]+)(?:\/(?<protocol>\w+))?$/;
/** What an item of `publish` must be, for a message. */
export const PUBLISH_FORM =
  '[ADDRESS:]PORT:PORT[/PROTOCOL] with ports from 1 to 65535 (8080:80/tcp, say), or two ranges of one length (8000-8010:80-90)';

/** Reads `[ADDRESS:]PORT[-PORT]:PORT[-PORT][/PROTOCOL]`, one entry for each port, or returns undefined. */
export function readPublish(text: string): readonly PublishedPort[] | undefined {
  const { four, six, host = '', inside = '', protocol = 'tcp' } = FORM.exec(text)?.groups ?? {};
  const [outer, inner] = [readRange(host), readRange(inside)];
  if (outer === undefined || inner === undefined || outer.length !== inner.length) return undefined;
  const given = four ?? six;
  const hostAddress = given === undefined ? undefined : readAddress(given);
  if (hostAddress === undefined && given !== undefined) return undefined;
  const common = { protocol: protocol as Protocol, ...(hostAddress !== undefined && { hostAddress }) };
  return outer.map((hostPort, index) => Object.assign({ hostPort, port: inner[index] ?? 0 }, common));
}

function readRange(text: string): readonly number[] | undefined {
  const [first = 0, last = first, ...more] = text.split('-').map(Number);
  if (more.length > 0 || !(first >= 1 && last >= first && last <= PORT_MAX)) return undefined;
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Of the gateway: neither multicast nor one that no interface holds. */
function readAddress(text: string): string | undefined {
  const address = parseIp(text);
  return address === undefined || /^(?:22[4-9]|2[34]\d|25[0-5])\.|^ff/.test(address) ? undefined : address;
}
