import { seededRandom } from '../../netns/support/random.ts';

/** How many random moments each kind of power cut gets. */
export const CUTS = Number(process.env['LINKSPAN_IMAGE_CUTS'] ?? 20);
/** The same seed gives the same moments. */
export const SEED = Number(process.env['LINKSPAN_IMAGE_SEED'] ?? Date.now() % 1_000_000);

/**
 * That many moments from 0 to `end`, in order: one at random in each of as many equal parts, so that none is left out.
 */
export function moments(count: number, end: number, seed = SEED): readonly number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, part) => ((part + random()) / count) * end);
}
