// Jest's: boots one VM before the first file of the project, for all of them.
import { Lab } from '../lab.ts';
import { bootVm } from './boot.ts';
import { SOCKET } from './lab.ts';

const host = new Lab();

export default async function setup(): Promise<void> {
  try {
    process.env[SOCKET] = (await bootVm(host)).socket;
  } catch (error) {
    await host.close();
    throw error;
  }
  Object.assign(globalThis, { [SOCKET]: host });
}
