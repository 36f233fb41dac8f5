import type { LoopSpec } from '../../drivers/guards.ts';
import { CUT_SET as CUT, type LoopProber } from '../../model/guards.ts';
import {
  ETHERTYPE_LOCAL,
  PROBE_MAGIC,
  PROBE_MAGIC_PART,
  PROBE_MARK_PART,
  PROBE_RANK_PART,
  PROBE_SECRET_PART,
  type ProbePart,
  probeOf,
} from '../../packet/loop-probe.ts';

/** While the service probes it ends a cut itself; while it is away a cut stays, but not for good. */
const ALONE_S = 300;
/** A comparison of nftables takes no more (struct nft_data). */
const COMPARE_MAX = 16;

/** Time for the probes of who comes last to be back, and for it to be cut before others are. */
const PATIENCE_S = 2;
/** Who is not heard for so long is heard anew. */
const SILENCE_S = 2;
/** Sets of the one key; what is in `young` and `fresh` has lasted less than the patience. */
const SETS = [CUT, 'later', 'heard', 'young', 'back', 'fresh'];

/** Matches the probes of all gateways. */
export const PROBES = `ether type ${hex(ETHERTYPE_LOCAL, 2)} ${place(PROBE_MAGIC_PART)} ${hex(PROBE_MAGIC, 4)}`;
/** Which prober's it is, as far as its frames tell. */
export const PROBER = place(PROBE_SECRET_PART);
const MARK = place(PROBE_MARK_PART);

/**
 * The body of the table that looks for a loop through the plant, and cuts it here: who gets its own probe back cuts
 * itself off from its VLAN. Of all probers that one loop joins this is the last alone, since everybody drops the probes of
 * those before him; so the overlay stays whole elsewhere, and one end is enough. The kernel does it with the very frame,
 * and goes on doing it while the service is away. That both ports bear the same type of hardware makes it the one key
 * that all chains can give.
 *
 * Where a second way carries one way only, the last one's probes may not be back. So who hears others' for longer than
 * his own would take lets them pass, marked; and who has his own back with the mark leaves it to those after him, if
 * he hears any and they are not slow.
 */
export function loopRules({ plant, overlay, prober }: LoopSpec): string {
  const probe = probeOf(prober);
  const own = `${PROBER} { ${secrets(prober).join(', ')} }`;
  const cut = `update @${CUT} { meta iiftype timeout ${ALONE_S}s } drop`;
  return `  counter loop_in {}
  counter loop_out {}
${SETS.map((name) => `  set ${name} { type iface_type; flags dynamic,timeout; size 16; }\n`).join('')}\
  chain plant_in {
    type filter hook ingress device "${plant}" priority filter; policy accept;
    ${PROBES} goto probes
    meta iiftype @${CUT} counter name loop_out drop
  }
  chain own {
    ${MARK} 0 ${cut}
    meta iiftype != @later ${cut}
${patience('back', 'fresh')}\
    ${cut}
  }
  chain earlier {
${patience('heard', 'young')}\
    ${MARK} set 1 accept
  }
  chain later {
    update @later { meta iiftype timeout ${SILENCE_S}s }
  }
  chain probes {
    ${own} goto own
    meta iiftype @${CUT} drop
${order(probe).join('')}  }
  chain plant_out {
    type filter hook egress device "${plant}" priority filter; policy accept;
    ${PROBES} ${own} accept
    meta oiftype @${CUT} counter name loop_in drop
  }
  chain overlay_in {
    type filter hook ingress device "${overlay}" priority filter - 10; policy accept;
    ${PROBES} ${own} goto own
  }\n`;
}

function secrets(prober: LoopProber): readonly string[] {
  const keys = [prober.key, ...(prober.former ? [prober.former] : [])];
  return keys.map((key) => bytes(probeOf({ ...prober, key }), PROBE_SECRET_PART));
}

/** Drops while what is told of a frame is new. @param known, recent names of sets: it is told of, and since a short while */
function patience(known: string, recent: string): string {
  return `    meta iiftype != @${known} add @${recent} { meta iiftype timeout ${PATIENCE_S}s }
    update @${known} { meta iiftype timeout ${SILENCE_S}s }
    meta iiftype @${recent} drop\n`;
}

/** Tells probes of those before this gateway from those after it, and drops those of its own earlier life. By pieces, as they compare. */
function order(probe: Buffer): readonly string[] {
  const end = PROBE_RANK_PART.at + PROBE_RANK_PART.length;
  const starts = Array.from({ length: Math.ceil(PROBE_RANK_PART.length / COMPARE_MAX) }, (_, n) => {
    return PROBE_RANK_PART.at + n * COMPARE_MAX;
  });
  const pieces = starts.map((at) => ({ at, length: Math.min(COMPARE_MAX, end - at) }));
  const compared = pieces.map((piece) => {
    const [where, what] = [place(piece), bytes(probe, piece)];
    return `    ${where} < ${what} goto earlier\n    ${where} > ${what} goto later\n`;
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
