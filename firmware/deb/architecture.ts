/** A machine that a package is for, by the names that Debian, npm, the compilers and ELF have for it. */
export type Architecture = {
  readonly debian: string;
  readonly npm: string;
  readonly triplet: string;
  /** e_machine of ELF */
  readonly machine: number;
};

export const ARCHITECTURES: readonly Architecture[] = [
  { debian: 'arm64', npm: 'arm64', triplet: 'aarch64-linux-gnu', machine: 183 },
  { debian: 'amd64', npm: 'x64', triplet: 'x86_64-linux-gnu', machine: 62 },
];

/** e_machine of an ELF file's first bytes; undefined: it is no ELF file. */
export function elfMachine(head: Buffer): number | undefined {
  const isElf = head.length >= 20 && head.toString('latin1', 0, 4) === '\x7fELF';
  return isElf ? head.readUInt16LE(18) : undefined;
}
