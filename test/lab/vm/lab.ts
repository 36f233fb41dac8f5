import { Lab } from '../lab.ts';
import { VirtualMachine } from './machine.ts';

/** Names the socket of the VM that runs, in the environment of the tests. */
export const SOCKET = 'LINKSPAN_LAB_VM';

/** A lab in the VM that the tests of this project share; the way there is closed with it. */
export async function vmLab(): Promise<Lab> {
  const path = process.env[SOCKET];
  if (path === undefined) throw new Error('no VM runs: these tests are the project "vm" of jest.config.js');
  const vm = await VirtualMachine.connect(path);
  const lab = new Lab(vm);
  lab.defer(() => vm.close());
  return lab;
}
