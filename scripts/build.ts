// Bundles the programs of src/bin into dist/bin: one file tree without node_modules starts faster and keeps the
// service some 10 MB smaller. Packages with native parts stay outside the bundle.
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { bundle } from './bundle.ts';
import { buildRawSocket } from './raw-socket.ts';

const root = new URL('..', import.meta.url).pathname;

rmSync(`${root}dist`, { recursive: true, force: true });

// The datapath's inner loops. `noAssert`: bounds are checked by hand where bytes are hostile. The memory is the
// caller's, shared, so that it never moves while the kernel reads it.
for (const name of ['segment', 'coalesce']) {
  const input = `${root}src/datapath/wasm/${name}.as.ts`;
  const output = `${root}dist/wasm/${name}.wasm`;
  const flags = '-O3 --noAssert --uncheckedBehavior always --runtime stub --enable simd --enable threads';
  const memory = '--importMemory --sharedMemory --initialMemory 64 --maximumMemory 64 --noExportMemory';
  const asc = `${root}node_modules/assemblyscript/bin/asc.js`;
  execFileSync(process.execPath, [asc, input, '--outFile', output, ...flags.split(' '), ...memory.split(' ')]);
}

const modules = `${root}node_modules`;
const addon = `${modules}/raw-socket/build/Release/raw.node`;
if (!loads('raw-socket') && !buildRawSocket(modules, process.arch, 'g++', addon))
  process.stderr.write('build: raw-socket was not built, so peers will not be probed; install g++ and build again\n');

const metafile = await bundle(`${root}dist`);

// Which sources and packages each file was made of; the package of a gateway is made by it.
writeFileSync(`${root}dist/meta.json`, JSON.stringify(metafile));

// Run by the DHCP client; beside the bundle as it is beside the sources.
cpSync(`${root}src/host/udhcpc-hook`, `${root}dist/host/udhcpc-hook`);

/** Whether it is built, and for this Node. */
function loads(name: string): boolean {
  try {
    createRequire(import.meta.url)(name);
    return true;
  } catch {
    return false;
  }
}
