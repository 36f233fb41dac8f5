import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { machineState, running } from '../docker/support/leftovers.ts';
import { Lab, withLab } from '../lab/lab.ts';
import { LabProcess } from '../lab/process.ts';
import { bootVm } from '../lab/vm/boot.ts';
import { vmLab } from '../lab/vm/lab.ts';
import { VirtualMachine } from '../lab/vm/machine.ts';
import { until } from '../lab/wait.ts';

const CHILD = fileURLToPath(new URL('lab.child.ts', import.meta.url));
const BOOT_MS = 60_000;

test('a second VM runs beside the first, apart from it, and nothing is left of it', async () => {
  const before = await machineState(process.pid);
  const first = await vmLab();
  const { folder, pid, pending } = await withLab(async (host) => {
    const vm = await bootVm(host);
    const machine = await VirtualMachine.connect(vm.socket);
    const second = new Lab(machine);
    await second.namespace('apart');
    const names = await Promise.all(
      [first, second].map((lab) => lab.run(['ls', '/run/netns'], { allowFailure: true })),
    );
    expect(names.map(({ stdout }) => stdout.includes('apart'))).toEqual([false, true]);
    expect(await running([vm.pid])).toEqual([vm.pid]);
    const sleeping = second.run(['sleep', '1000']).catch((error: Error) => error.message);
    return { folder: dirname(vm.socket), pid: vm.pid, pending: sleeping };
  });
  // Who waits for something in it is told.
  expect(await pending).toContain('the VM has ended');
  await first.close();
  expect(await running([pid])).toEqual([]);
  expect(existsSync(folder)).toBe(false);
  expect(await machineState(process.pid)).toEqual(before);
});

test('of a VM whose process was killed nothing is left', async () => {
  const child = await LabProcess.start([process.execPath, CHILD]);
  await until('the VM of another process', () => !child.running || child.log().includes('}\n'), BOOT_MS);
  expect(child.running ? '' : child.log()).toBe('');
  const { folder, pid } = JSON.parse(child.log()) as { readonly folder: string; readonly pid: number };
  expect(await running([pid])).toEqual([pid]);
  await child.kill9();
  await until('QEMU to end', async () => (await running([pid])).length === 0);
  await until('its folder to go', () => !existsSync(folder));
});

test('where it cannot boot, that is said with what QEMU says', async () => {
  await withLab(async (host) => {
    const path = process.env['PATH'] ?? '';
    const env = { PATH: `${await host.folder()}:${path}` };
    await host.run(['ln', '-s', '/bin/false', `${env.PATH.split(':')[0] ?? ''}/qemu-system-x86_64`]);
    const child = await LabProcess.start([process.execPath, CHILD], env);
    expect(await child.exited).toBe(1);
    expect(child.log()).toMatch(/the VM did not boot: .*QEMU ended/);
  });
});
