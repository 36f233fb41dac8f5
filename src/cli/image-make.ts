import { existsSync, readdirSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LinkspanError, messageOf } from '../service/errors.ts';
import { type Bootstrap, loadBootstrap } from '../service/bootstrap.ts';
import { CliError, EXIT, type ExitCode, usageError } from './exit.ts';
import { type FatFile, putIntoFat } from './image-fat.ts';
import { packImage, unpackImage } from './image-file.ts';
import { findPartition } from './image-gpt.ts';
import { type Invocation, option, type Values } from './verb.ts';

/** The partition that a gateway reads at its first start, and where its file and keys come to lie. */
const PARTITION = 'config';
const PLACE = '/etc/linkspan/';

/** Makes the image and says for whom it is. */
export async function makeImage({ output, json, positionals: [image = ''], values }: Invocation): Promise<ExitCode> {
  const out = option(values, 'out') ?? missing('where the new image goes with -o OUT');
  const file = option(values, 'file') ?? missing("the gateway's file with -f linkspan.yaml");
  if (existsSync(out)) throw new CliError(EXIT.refused, `${out} is there already; remove it, or name another`);
  const { gateway, fleet } = await guarded(() => make(image, file, out, values));
  if (json) output.json({ image: out, gateway, fleet });
  else output.line(`${out} is for gateway ${gateway} of fleet ${fleet}; flash it without the first image's .bmap`);
  return EXIT.ok;
}

async function make(image: string, file: string, out: string, values: Values): Promise<Bootstrap> {
  const keys = filesOf(option(values, 'keys'), 'keys');
  const bootstrap = checked(file, keys);
  const files = [{ from: file, to: 'linkspan.yaml' }, ...keys, ...filesOf(option(values, 'network'), 'network')];
  const raw = `${out}.raw`;
  try {
    await unpackImage(image, raw);
    await putIntoFat(raw, await findPartition(raw, PARTITION), files);
    if (out.endsWith('.zst')) await packImage(raw, `${out}.new`);
    await rename(out.endsWith('.zst') ? `${out}.new` : raw, out);
  } finally {
    await Promise.all([raw, `${out}.new`].map((path) => rm(path, { force: true })));
  }
  return bootstrap;
}

/** As the gateway will check it: read whole, and with all the files that it names. */
function checked(file: string, keys: readonly FatFile[]): Bootstrap {
  const bootstrap = loadBootstrap({ file, env: {}, flags: {} });
  const given = new Set(keys.map(({ to }) => PLACE + to));
  const lacking = textsIn(bootstrap).find((value) => value.startsWith(PLACE) && !given.has(value));
  if (lacking === undefined) return bootstrap;
  throw new CliError(
    EXIT.refused,
    `${file} names ${lacking}, which is not among the keys; put it into a folder and name that with --keys`,
  );
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap((one) => textsIn(one)) : [];
}

/** The files of a folder; those in folders of it are left out. */
function filesOf(directory: string | undefined, to: string): readonly FatFile[] {
  if (directory === undefined) return [];
  const names = readdirSync(directory).filter((name) => statSync(join(directory, name)).isFile());
  return names.map((name) => ({ from: join(directory, name), to: `${to}/${name}` }));
}

async function guarded<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof CliError) throw error;
    const refused = error instanceof LinkspanError && error.code === 'bad_configuration';
    throw new CliError(refused ? EXIT.refused : EXIT.failed, messageOf(error));
  }
}

function missing(what: string): never {
  throw usageError(`fleet image: give ${what}`);
}
