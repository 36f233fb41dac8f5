import { join } from 'node:path';
import { run } from '../exec.ts';
import type { Lab } from '../lab.ts';

/** The partitions that any PC can read and write. */
export type FatPartition = 'config' | 'boot';
type Place = { readonly offset: number; readonly size: number };
type Table = {
  readonly partitiontable: { readonly partitions: readonly { name: string; start: number; size: number }[] };
};

const SECTOR = 512;
const MIB = 1024 * 1024;
/** A small card, yet larger than the image, so that there is something to grow into. */
const CARD = '4G';

/** A gateway's disk with the image on it. What is written stays in a file of its own; the image remains as it was built. */
export class Disk {
  readonly path: string;
  readonly #scratch: string;
  readonly #table: ReadonlyMap<string, Place>;

  private constructor(path: string, scratch: string, table: ReadonlyMap<string, Place>) {
    this.path = path;
    this.#scratch = scratch;
    this.#table = table;
  }

  /** @param image the image as it lies on a card, uncompressed */
  static async flash(lab: Lab, image: string): Promise<Disk> {
    const folder = await lab.folder();
    const path = join(folder, 'disk.qcow2');
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', image, '-F', 'raw', path, CARD]);
    return new Disk(path, folder, await partitions(image));
  }

  /** Writes files into a partition, while the gateway is off; a name may hold folders that are there, or end with `/`. */
  async put(partition: FatPartition, files: Readonly<Record<string, string>>): Promise<void> {
    const fat = await this.#read(partition);
    for (const [name, text] of Object.entries(files)) {
      if (name.endsWith('/')) await run(['mmd', '-i', fat, `::/${name.slice(0, -1)}`]);
      else await run(['mcopy', '-o', '-i', fat, '-', `::/${name}`], { input: text });
    }
    const { offset, size } = this.place(partition);
    await run(['qemu-io', '-f', 'qcow2', '-c', `write -q -s ${fat} ${offset} ${size}`, this.path]);
  }

  /** The text of a file of the partition, while the gateway is off; undefined: there is none. */
  async get(partition: FatPartition, name: string): Promise<string | undefined> {
    const fat = await this.#read(partition);
    const { code, stdout } = await run(['mcopy', '-n', '-i', fat, `::/${name}`, '-'], { allowFailure: true });
    return code === 0 ? stdout : undefined;
  }

  /** Overwrites a piece of a partition with rubbish, as a worn-out card does. */
  async damage(partition: string, fromMiB: number, lengthMiB: number): Promise<void> {
    const at = this.place(partition).offset + fromMiB * MIB;
    await run(['qemu-io', '-f', 'qcow2', '-c', `write -q -P 0xa5 ${at} ${lengthMiB * MIB}`, this.path]);
  }

  place(partition: string): Place {
    const place = this.#table.get(partition);
    if (!place)
      throw new Error(`the image has no partition "${partition}", only ${[...this.#table.keys()].join(', ')}`);
    return place;
  }

  async #read(partition: FatPartition): Promise<string> {
    const { offset, size } = this.place(partition);
    const fat = join(this.#scratch, partition);
    const window = [`skip=${offset / MIB}`, `count=${size / MIB}`];
    await run(['qemu-img', 'dd', '-f', 'qcow2', '-O', 'raw', `bs=${MIB}`, ...window, `if=${this.path}`, `of=${fat}`]);
    return fat;
  }
}

/** A stick as shops sell them, one FAT partition's worth without a partition table, with a file on it. */
export async function usbStick(lab: Lab, file: string, name: string): Promise<string> {
  const stick = join(await lab.folder(), 'stick');
  await run(['truncate', '-s', '1G', stick]);
  await run(['mformat', '-i', stick, '-F', '-T', String((1024 * MIB) / SECTOR), '-h', '64', '-s', '32', '::']);
  await run(['mcopy', '-i', stick, file, `::/${name}`], { timeoutMs: 120_000 });
  return stick;
}

async function partitions(image: string): Promise<ReadonlyMap<string, Place>> {
  const { stdout } = await run(['sfdisk', '--json', image]);
  const table = JSON.parse(stdout) as Table;
  return new Map(
    table.partitiontable.partitions.map(({ name, start, size }) => [
      name,
      { offset: start * SECTOR, size: size * SECTOR },
    ]),
  );
}
