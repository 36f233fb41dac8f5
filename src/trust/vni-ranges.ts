import { asList, asNumber, refuse } from '../model/fields.ts';
import { type Vni, VNI_MAX } from '../model/vni.ts';

/** Which VNIs a gateway may be in: all, or those from the first to the second number of any pair. */
export type VniRanges = 'all' | readonly (readonly [from: number, to: number])[];

/** More are no list that a person keeps. */
const MAX_RANGES = 256;

/** @throws LinkspanError `invalid` */
export function readVniRanges(value: unknown): VniRanges {
  if (value === 'all') return 'all';
  return asList('vnis', value, MAX_RANGES).map((item) => {
    const pair = asList('vnis', item, 2);
    const from = asNumber('vnis', pair[0], 1, VNI_MAX);
    return [from, asNumber('vnis', pair[1], from, VNI_MAX)] as const;
  });
}

/** Reads `all` or a list such as `1-4,10110`. @throws LinkspanError `invalid` */
export function parseVniRanges(text: string): VniRanges {
  if (text === 'all') return 'all';
  const ranges = text.split(',').map((part) => {
    const [, from, to = from] = /^(\d{1,8})(?:-(\d{1,8}))?$/.exec(part.trim()) ?? refuse(`--vnis ${text}`, WANT);
    return [Number(from), Number(to)];
  });
  return readVniRanges(ranges);
}

const WANT = 'all, or numbers and ranges such as 1-4,10110';

export function formatVniRanges(ranges: VniRanges): string {
  if (ranges === 'all') return 'all';
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

export function isInRanges(ranges: VniRanges, vni: Vni): boolean {
  return ranges === 'all' || ranges.some(([from, to]) => vni >= from && vni <= to);
}
