// Jest's: ends the VM after the last file of the project.
import type { Lab } from '../lab.ts';
import { SOCKET } from './lab.ts';

export default async function teardown(): Promise<void> {
  const { [SOCKET]: host } = globalThis as unknown as Record<string, Lab | undefined>;
  await host?.close();
}
