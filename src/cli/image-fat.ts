import { dirname } from 'node:path';
import { CommandError, run } from '../host/run.ts';
import { CliError, EXIT } from './exit.ts';

/** A file of this machine, and its path in the partition. */
export type FatFile = { readonly from: string; readonly to: string };

const MINUTE_MS = 60_000;

/** Writes files into the FAT file system that begins at that byte of an image; what has these names there is replaced. */
export async function putIntoFat(image: string, offset: number, files: readonly FatFile[]): Promise<void> {
  const at = `${image}@@${offset}`;
  const folders = new Set(files.map(({ to }) => dirname(to)).filter((folder) => folder !== '.'));
  for (const folder of folders) await mtool(['mmd', '-D', 's', '-i', at, `::/${folder}`], true);
  for (const { from, to } of files) await mtool(['mcopy', '-D', 'o', '-i', at, from, `::/${to}`]);
}

/** `mayBe`: a folder that is there already is no failure. */
async function mtool(argv: readonly string[], mayBe = false): Promise<void> {
  try {
    await run(argv, '', { locale: 'C.UTF-8', timeoutMs: MINUTE_MS });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.exitCode === null) {
      throw new CliError(
        EXIT.failed,
        `${argv[0]} is not there; install mtools, which writes into an image without root`,
      );
    }
    if (!mayBe) throw new CliError(EXIT.failed, `${argv[0]}: ${error.stderr.trim()}; is the partition full?`);
  }
}
