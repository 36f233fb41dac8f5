import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../lab/exec.ts';
import type { Lab } from '../lab/lab.ts';
import { HOST, type Machine } from '../lab/machine.ts';
import { LabProcess } from '../lab/process.ts';
import { vmLab } from '../lab/vm/lab.ts';
import { until } from '../lab/wait.ts';

const FAILING = ['sh', '-c', 'echo some; echo more >&2; exit 3'];

let lab: Lab;
let vm: Machine;

beforeAll(async () => {
  lab = await vmLab();
  vm = lab.machine;
});
afterAll(() => lab.close());

const attempt = (script: string): Promise<unknown> => lab.run(['sh', '-c', script], { allowFailure: true });
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'did not fail',
    (error: Error) => error.message,
  );

describe('the VM runs commands as this machine does', () => {
  test('a result is exit code and both outputs', async () => {
    const [here, there] = await Promise.all([HOST, vm].map((on) => run(FAILING, { on, allowFailure: true })));
    expect(there).toEqual({ code: 3, stdout: 'some\n', stderr: 'more\n' });
    expect(there).toEqual(here);
  });

  test('input, arguments with spaces and bytes beyond ASCII come through; there is no shell between', async () => {
    const text = `${'Grüße; $(reboot) '.repeat(20_000)}\n`;
    expect((await lab.run(['cat'], { input: text })).stdout === text).toBe(true);
    expect((await lab.run(['printf', '%s|', 'a b', '$HOME', '', 'ü'])).stdout).toBe('a b|$HOME||ü|');
  });

  test.each([
    ['that fails', FAILING, {}],
    ['that is not there', ['no-such-program', 'x'], { allowFailure: true }],
    ['that takes too long', ['sleep', '60'], { timeoutMs: 300, allowFailure: true }],
  ])('a command %s is told in the same words', async (_, argv, options) => {
    const [here, there] = await Promise.all([HOST, vm].map((on) => failure(run(argv, { ...options, on }))));
    expect(there).toContain(argv.join(' '));
    expect(there).toBe(here);
  });

  test('commands run beside each other, each with its own result', async () => {
    const folder = await lab.folder();
    // The first waits for what the last makes.
    const waits = lab.run(['sh', '-c', 'until [ -e "$1" ]; do sleep 0.05; done; echo first', '-', `${folder}/go`]);
    const others = await Promise.all([1, 2, 3, 4].map((code) => attempt(`echo ${code}; exit ${code}`)));
    expect(others).toEqual([1, 2, 3, 4].map((code) => ({ code, stdout: `${code}\n`, stderr: '' })));
    await lab.write(`${folder}/go`, '');
    expect((await waits).stdout).toBe('first\n');
  });
});

describe('the VM runs programs as this machine does', () => {
  test('output comes while it runs, signals reach it, and how it ended is told', async () => {
    const script = 'trap "echo told; exit 7" TERM; echo up; while :; do sleep 0.05; done';
    const process = await LabProcess.start(['sh', '-c', script], {}, vm);
    await until('its output', () => process.log() === 'up\n');
    expect((await lab.run(['cat', `/proc/${process.pid}/comm`])).stdout).toBe('sh\n');
    expect(process.running).toBe(true);
    await process.stop();
    expect([await process.exited, process.log(), process.running]).toEqual([7, 'up\ntold\n', false]);
    const other = await LabProcess.start(['sleep', '1000'], {}, vm);
    await other.kill9();
    expect(await other.exited).toBe('SIGKILL');
  });

  test('its environment is as asked', async () => {
    const process = await LabProcess.start(['sh', '-c', 'echo "$LC_ALL $OURS"'], { OURS: 'x y' }, vm);
    await process.exited;
    expect(process.log()).toBe('C x y\n');
  });

  test('what a lab leaves running ends with it', async () => {
    const other = await vmLab();
    const { pid } = await LabProcess.start(['sleep', '1000'], {}, other.machine);
    const runs = async (): Promise<boolean> =>
      (await lab.run(['kill', '-0', String(pid)], { allowFailure: true })).code === 0;
    expect(await runs()).toBe(true);
    await other.close();
    await until('it to end', async () => !(await runs()));
  });
});
