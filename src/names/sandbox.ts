import type { NameTable } from './table.ts';

/** A workload's namespace that is to have a resolver, and what that may tell. */
export type SandboxNames = {
  /** the namespace: its file, and its inode, which tells it from a later one there */
  readonly path: string;
  readonly inode: number;
  /** whether it is a container of Docker's, whose own resolver is asked for all that is not in `names` */
  readonly docker: boolean;
  readonly names: NameTable;
};
