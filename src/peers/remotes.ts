import type { Mac } from '../model/mac.ts';
import type { PeerRecord, Remote } from '../model/peer.ts';
import { askedBy } from '../model/tunnel.ts';
import { type Claim, winners } from './mobility.ts';
import type { Owner } from './owner.ts';
import type { Way } from './ways.ts';

/** A gateway in a VNI, with what it says of that, and the way to it. */
export type Member = { readonly owner: Owner; readonly record: PeerRecord; readonly way: Way };

/**
 * The members of one VNI as what stands behind the tunnel: each with the MACs that are its own by the best claim. Pure.
 * @param ownClaims this gateway's own to what may move
 * @param isOwn whether a MAC is a workload's of this gateway, which no claim takes
 */
export function remotesOf(
  members: readonly Member[],
  ownClaims: readonly Claim[],
  isOwn: (mac: Mac) => boolean,
): readonly Remote[] {
  const won = winners([...ownClaims, ...members.flatMap((member) => claimsOf(member, isOwn))]);
  // Nobody's record may claim the MAC by which another one is asked.
  const probes = new Set(members.flatMap(({ record }) => askedBy(record) ?? []));
  return members.flatMap(({ owner, record, way }): readonly Remote[] => {
    const [vtep] = record.vtep;
    if (vtep === undefined) return [];
    const macs = record.macs.filter((entry) => won.get(entry.m)?.entry === entry && !probes.has(entry.m));
    const [{ routes }, probe] = [record, askedBy(record)];
    return [{ gateway: owner.gw, vtep, macs, ...(routes && { routes }), ...(probe && { probe }), ...way }];
  });
}

function claimsOf({ owner, record, way }: Member, isOwn: (mac: Mac) => boolean): readonly Claim[] {
  const alive = owner.isAlive && way.down !== true;
  return record.macs.filter(({ m }) => !isOwn(m)).map((entry) => ({ gateway: owner.gw, alive, entry }));
}
