import type { LoopSpec } from '../../drivers/guards.ts';
import { CUT_SET as CUT } from '../../model/guards.ts';
import {
  ETHERTYPE_LOCAL,
  PROBE_MAGIC,
  PROBE_MAGIC_PART,
  PROBE_RANK_PART,
  PROBE_SECRET_PART,
  type ProbePart,
  probeOf,
} from '../../packet/loop-probe.ts';

/** While the service probes it ends a cut itself; while it is away a cut stays, but not for good. */
const ALONE_S = 300;
/** A comparison of nftables takes no more (struct nft_data). */
const COMPARE_MAX = 16;

/** Matches the probes of all gateways. */
export const PROBES = `ether type ${hex(ETHERTYPE_LOCAL, 2)} ${place(PROBE_MAGIC_PART)} ${hex(PROBE_MAGIC, 4)}`;

/**
 * The body of the table that looks for a loop through the plant, and cuts it here: who gets its own probe back cuts
 * itself off from its VLAN. Of all probers that one loop joins this is the last alone, since everybody drops the probes of
 * those before him; so the overlay stays whole elsewhere, and one end is enough. The kernel does it with the very frame,
 * and goes on doing it while the service is away. That both ports bear the same type of hardware makes it the one key
 * that all chains can give.
 */
export function loopRules({ plant, overlay, prober }: LoopSpec): string {
  const probe = probeOf(prober);
  const own = `${place(PROBE_SECRET_PART)} ${bytes(probe, PROBE_SECRET_PART)}`;
  const cut = `update @${CUT} { meta iiftype timeout ${ALONE_S}s } drop`;
  return `  counter loop_in {}
  counter loop_out {}
  set ${CUT} { type iface_type; flags dynamic,timeout; size 16; }
  chain plant_in {
    type filter hook ingress device "${plant}" priority filter; policy accept;
    ${PROBES} goto probes
    meta iiftype @${CUT} counter name loop_out drop
  }
  chain probes {
    ${own} ${cut}
    meta iiftype @${CUT} drop
${order(probe).join('')}  }
  chain plant_out {
    type filter hook egress device "${plant}" priority filter; policy accept;
    ${PROBES} ${own} accept
    meta oiftype @${CUT} counter name loop_in drop
  }
  chain overlay_in {
    type filter hook ingress device "${overlay}" priority filter - 10; policy accept;
    ${PROBES} ${own} ${cut}
  }\n`;
}

/** Drops probes of those who come first, and of this gateway's earlier life; the rest pass. By pieces, as they compare. */
function order(probe: Buffer): readonly string[] {
  const end = PROBE_RANK_PART.at + PROBE_RANK_PART.length;
  const starts = Array.from({ length: Math.ceil(PROBE_RANK_PART.length / COMPARE_MAX) }, (_, n) => {
    return PROBE_RANK_PART.at + n * COMPARE_MAX;
  });
  const pieces = starts.map((at) => ({ at, length: Math.min(COMPARE_MAX, end - at) }));
  const compared = pieces.map((piece) => {
    const [where, what] = [place(piece), bytes(probe, piece)];
    return `    ${where} < ${what} drop\n    ${where} > ${what} accept\n`;
  });
  return [...compared, '    drop\n'];
}

function place({ at, length }: ProbePart): string {
  return `@ll,${at * 8},${length * 8}`;
}

function bytes(frame: Buffer, { at, length }: ProbePart): string {
  return `0x${frame.toString('hex', at, at + length)}`;
}

function hex(value: number, length: number): string {
  return `0x${value.toString(16).padStart(length * 2, '0')}`;
}
