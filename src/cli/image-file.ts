import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';

const CHUNK = 256 * 1024;
const ZEROS = Buffer.alloc(CHUNK);

/** Copies an image, unpacked where its name ends so; what is all zero in it takes no room in the copy. */
export async function unpackImage(image: string, to: string): Promise<void> {
  const source = createReadStream(image, { highWaterMark: CHUNK });
  await (image.endsWith('.zst')
    ? pipeline(source, createZstdDecompress(), (bytes: AsyncIterable<Buffer>) => writeSparse(bytes, to))
    : pipeline(source, (bytes: AsyncIterable<Buffer>) => writeSparse(bytes, to)));
}

/** With a checksum inside, as the image itself has it. */
export async function packImage(image: string, to: string): Promise<void> {
  const packing = createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  await pipeline(createReadStream(image, { highWaterMark: CHUNK }), packing, createWriteStream(to));
}

async function writeSparse(bytes: AsyncIterable<Buffer>, to: string): Promise<void> {
  const file = await open(to, 'wx');
  try {
    let at = 0;
    for await (const chunk of bytes) {
      if (!chunk.equals(ZEROS.subarray(0, chunk.length))) await file.write(chunk, 0, chunk.length, at);
      at += chunk.length;
    }
    await file.truncate(at);
    await file.sync();
  } finally {
    await file.close();
  }
}
