import type { Appliance } from '../../lab/image/appliance.ts';

/** In MB, as `free` counts: all that the kernel could not give to another program. */
export async function usedMemory(gateway: Appliance): Promise<number> {
  const text = await gateway.sh('cat /proc/meminfo');
  const kB = (row: string): number => Number(new RegExp(`^${row}: +(\\d+) kB`, 'm').exec(text)?.[1]);
  return Math.round((kB('MemTotal') - kB('MemAvailable')) / 1000);
}
