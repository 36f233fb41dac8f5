// raw-socket comes as source, and npm would build it by the headers of whichever Node runs npm. It is one file: the
// compiler alone builds it by those of the Node that the service runs on, also for another machine.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

const FLAGS = '-O2 -s -w -shared -fPIC -std=c++20 -DNODE_GYP_MODULE_NAME=raw -DBUILDING_NODE_EXTENSION'.split(' ');

/** Builds it from `modules` (a node_modules folder) for the Node there; false where the compiler could not. */
export function buildRawSocket(modules: string, npmArchitecture: string, compiler: string, output: string): boolean {
  mkdirSync(dirname(output), { recursive: true });
  const headers = [`-I${modules}/node-linux-${npmArchitecture}/include/node`, `-I${modules}/nan`];
  // Its assertions tell their file's name: the bytes must not depend on where the checkout lies.
  const names = `-ffile-prefix-map=${modules}=.`;
  const files = ['-o', output, `${modules}/raw-socket/src/raw.cc`];
  const { error, status } = spawnSync(compiler, [...FLAGS, names, ...headers, ...files], { stdio: 'inherit' });
  return error === undefined && status === 0;
}
