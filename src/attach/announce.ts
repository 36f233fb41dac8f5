import { isRouted } from '../drivers/attachment.ts';
import type { EndpointSpec } from '../drivers/driver.ts';
import { sendFrames } from '../host/packet-socket.ts';
import { gratuitousArp } from '../packet/arp.ts';
import { unsolicitedNa } from '../packet/neighbour.ts';

const REPEATS = 3;
const INTERVAL_MS = 1000;

/**
 * Tells the wire where the endpoint's addresses are now: switches move the MAC to its new port at once, and neighbours
 * drop a stale entry that they would otherwise keep for minutes (some switches: four hours). Three times, as RFC 5227
 * section 2.3 and common practice have it; the later two in the background. A parent without carrier is no error: an
 * attach must not depend on a cable.
 * @param name the endpoint's interface in the sandbox
 */
export function announce(sandbox: string, spec: EndpointSpec, name: string): void {
  announceOnce(sandbox, spec, name);
  for (let repeat = 1; repeat < REPEATS; repeat += 1) {
    setTimeout(() => announceOnce(sandbox, spec, name), repeat * INTERVAL_MS).unref();
  }
}

/** One round of it. */
export function announceOnce(sandbox: string, { endpoint, attachment, seenMac }: EndpointSpec, name: string): void {
  if (isRouted(attachment) || endpoint.addresses.length === 0) return;
  const frames = endpoint.addresses.map(({ family, address }) =>
    family === 4 ? gratuitousArp(seenMac, address) : unsolicitedNa(seenMac, address),
  );
  sendFrames(sandbox, name, frames);
}
