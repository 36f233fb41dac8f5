import { availableParallelism, cpus, release } from 'node:os';

export type Machine = { readonly cores: number; readonly cpu: string; readonly kernel: string; readonly node: string };

/** Where a report was taken. */
export function thisMachine(): Machine {
  const cpu = cpus()[0]?.model ?? 'unknown';
  return { cores: availableParallelism(), cpu, kernel: release(), node: process.version };
}

/** The same as a line of a table's head. */
export const machineLine = ({ cores, cpu, kernel }: Machine, congestion: string): string =>
  `${cores} cores, ${cpu}, Linux ${kernel.split('-')[0]}, TCP ${congestion}`;
