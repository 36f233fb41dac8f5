// Why a datagram is no frame: how many there were since `clearCounts`. TypeScript reads the counts as exported globals.
export let truncated: u32 = 0;
export let badFlags: u32 = 0;
export let badChecksum: u32 = 0;
export let nested: u32 = 0;

export function dropTruncated(datagrams: u32): void {
  truncated += datagrams;
}

export function dropBadFlags(): void {
  badFlags++;
}

export function dropBadChecksum(): void {
  badChecksum++;
}

export function dropNested(): void {
  nested++;
}

/** The sum of the four. */
export function failures(): u32 {
  return truncated + badFlags + badChecksum + nested;
}

export function clearCounts(): void {
  truncated = 0;
  badFlags = 0;
  badChecksum = 0;
  nested = 0;
}
