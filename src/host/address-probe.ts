import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { familyOf } from '../model/ip.ts';
import type { Mac } from '../model/mac.ts';
import { arpProbe, readArpClaim } from '../packet/arp.ts';
import { duplicateProbe, readNeighbourClaim } from '../packet/neighbour.ts';
import { listenPackets, type PacketListener } from './packet-listener.ts';

/** When after its beginning a probe asks: three times, since a frame may be lost or a switch port just waking. */
const ASK_MS = new Set([0, 400, 800]);
const LISTEN_MS = 1500;
const TURN_MS = 20;

/** An interface in another namespace with the addresses that nobody else on its wire may have. */
export type ProbedInterface = {
  readonly namespace: string;
  /** of the namespace's file: a later one of the same path is another */
  readonly inode: number;
  /** the interface's, there */
  readonly index: number;
  readonly mac: Mac;
  readonly addresses: readonly string[];
};

/** An address of ours, and the MAC of another that says it is theirs. */
export type AddressConflict = { readonly address: string; readonly mac: Mac };

/** What one protocol asks, and how it reads what comes back. */
type Side = {
  readonly listener: PacketListener;
  readonly questions: readonly Buffer[];
  readonly read: (frame: Buffer) => AddressConflict | undefined;
};

/**
 * Asks the wire for 1.5 s who else has the interface's addresses (RFC 5227 section 2.1, RFC 4862 section 5.4), telling
 * each found at once, and returns all. What says so about itself unasked counts as well. Frames come from anybody. A
 * probe of another machine is no conflict: it learns that the address is taken and leaves it.
 *
 * The sandbox is let go within 20 ms of its end: a socket in it would keep its interface, and with it the MAC.
 * @returns undefined where it was ended by `signal`, or could not be asked to the end: nothing is known then
 */
export async function probeAddresses(
  probed: ProbedInterface,
  onFound: (conflict: AddressConflict) => void,
  signal: AbortSignal,
): Promise<readonly AddressConflict[] | undefined> {
  const sides: Side[] = [];
  try {
    for (const family of [4, 6] as const) sides.push(...sideOf(probed, family));
    return await listen(probed, sides, onFound, signal);
  } catch {
    return undefined;
  } finally {
    for (const { listener } of sides) listener.close();
  }
}

function sideOf({ namespace, index, mac, addresses }: ProbedInterface, family: 4 | 6): readonly Side[] {
  const own = addresses.filter((address) => familyOf(address) === family);
  if (own.length === 0) return [];
  const [kind, question, read] =
    family === 4
      ? (['arp', arpProbe, readArpClaim] as const)
      : (['neighbour', duplicateProbe, readNeighbourClaim] as const);
  return [
    {
      listener: listenPackets(namespace, index, kind),
      questions: own.map((address) => question(mac, address)),
      read: (frame) => {
        const claim = read(frame);
        return claim !== undefined && claim.mac !== mac && own.includes(claim.address) ? claim : undefined;
      },
    },
  ];
}

async function listen(
  { namespace, inode }: ProbedInterface,
  sides: readonly Side[],
  onFound: (conflict: AddressConflict) => void,
  signal: AbortSignal,
): Promise<readonly AddressConflict[] | undefined> {
  const found = new Map<string, AddressConflict>();
  for (let elapsed = 0; elapsed <= LISTEN_MS; elapsed += TURN_MS) {
    if (signal.aborted || inodeOf(namespace) !== inode) return undefined;
    for (const claim of sides.flatMap((side) => hear(side))) {
      if (!found.has(claim.address)) onFound(claim);
      found.set(claim.address, claim);
    }
    if (ASK_MS.has(elapsed))
      for (const { listener, questions } of sides) questions.forEach((one) => listener.send(one));
    await sleep(TURN_MS, undefined, { ref: false });
  }
  return [...found.values()];
}

function hear({ listener, read }: Side): readonly AddressConflict[] {
  return listener.receive().flatMap((frame) => read(frame) ?? []);
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
