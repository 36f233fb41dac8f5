import { isIP } from 'node:net';

/**
 * Whether a Host header names this machine in a way no stranger's DNS can forge: an IP address, `localhost` or the
 * machine's own name. Any other name may be a web page's own domain rebound to our address, which would let that page
 * read the gateway's state from a technician's browser.
 */
export function isOwnHost(header: string | undefined, hostname: string): boolean {
  if (header === undefined) return false;
  const bracketed = /^\[([0-9a-f:.]+)\](?::\d+)?$/i.exec(header);
  if (bracketed) return isIP(bracketed[1] ?? '') === 6;
  const name = header.replace(/:\d+$/, '').toLowerCase();
  return isIP(name) === 4 || name === 'localhost' || name === hostname.toLowerCase();
}
