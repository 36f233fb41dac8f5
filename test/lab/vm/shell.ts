// A person's shell in a VM of its own, on this terminal: `scripts/test vm shell`. The checkout lies where it lies outside.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { Lab } from '../lab.ts';
import { prepare } from './boot.ts';
import { qemuCommand } from './qemu.ts';

const { stdout } = process;
const lab = new Lab();
try {
  const guest = await prepare(lab, [
    `export TERM=${process.env['TERM'] ?? 'linux'} PATH=$PATH:${dirname(process.execPath)}`,
    `cd ${process.cwd()}`,
    ...(stdout.isTTY ? [`stty -F /dev/hvc0 columns ${stdout.columns} rows ${stdout.rows}`] : []),
    'setsid --ctty --wait bash </dev/hvc0 >/dev/hvc0 2>&1',
  ]);
  const terminal = ['-chardev', 'stdio,id=terminal,signal=off', '-device', 'virtconsole,chardev=terminal'];
  const [program = '', ...rest] = qemuCommand(guest, terminal);
  await once(spawn(program, rest, { stdio: 'inherit' }), 'exit');
} finally {
  await lab.close();
}
