import { sendFrames } from '../host/packet-socket.ts';
import type { Mac } from '../model/mac.ts';
import type { Endpoint } from '../model/network.ts';
import { gratuitousArp } from '../packet/arp.ts';
import { unsolicitedNa } from '../packet/neighbour.ts';

const REPEATS = 3;
const INTERVAL_MS = 1000;

/**
 * Tells the wire where the endpoint's addresses are now: switches move the MAC to its new port at once, and neighbours
 * drop a stale entry that they would otherwise keep for minutes (some switches: four hours). Three times, as RFC 5227
 * section 2.3 and common practice have it; the later two in the background. A parent without carrier is no error: an
 * attach must not depend on a cable.
 */
export function announce(sandbox: string, endpoint: Endpoint, mac: Mac): void {
  const frames = endpoint.addresses.map((address) =>
    address.family === 4 ? gratuitousArp(mac, address.address) : unsolicitedNa(mac, address.address),
  );
  if (frames.length === 0) return;
  sendFrames(sandbox, endpoint.interface, frames);
  for (let repeat = 1; repeat < REPEATS; repeat += 1) {
    setTimeout(() => sendFrames(sandbox, endpoint.interface, frames), repeat * INTERVAL_MS).unref();
  }
}
