import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { run } from '../exec.ts';
import type { Lab } from '../lab.ts';
import { until } from '../wait.ts';
import { type Guest, qemuCommand } from './qemu.ts';
import { connected, relay } from './relay.ts';

const SYSTEM = fileURLToPath(new URL('guest.sh', import.meta.url));
const AGENT = fileURLToPath(new URL('agent.ts', import.meta.url));
const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** The kernel and the programs come over the network, some 150 MB. */
const FETCH_MS = 900_000;
/** 4 s on a machine that does nothing else. */
const BOOT_MS = 60_000;
/** No run of tests takes longer. */
const LIFE_MS = 3_600_000;

/** A new VM, prepared: inside, `main` is run once it is up, and the VM goes down after it. */
export async function prepare(lab: Lab, main: readonly string[]): Promise<Guest> {
  if (!process.execPath.startsWith(`${CHECKOUT}/`))
    throw new Error(`the VM sees only ${CHECKOUT}; run this with its Node, by npm run or scripts/test`);
  const { stdout } = await run(['sh', SYSTEM], { timeoutMs: FETCH_MS });
  const boot = await lab.folder();
  const lines = [
    'export PATH=/usr/sbin:/usr/bin HOME=/root',
    'echo linkspan-vm >/proc/sys/kernel/hostname',
    'ip link set lo up',
    ...main,
    'echo o >/proc/sysrq-trigger',
    // The kernel panics where its first program ends before the power is off.
    'sleep 9',
  ];
  await writeFile(join(boot, 'main'), `${lines.join('\n')}\n`);
  return { system: stdout.trim(), boot, checkout: CHECKOUT };
}

/** Boots a VM that takes requests on a socket (its relay's); it ends at the lab's close, or with this process. */
export async function bootVm(lab: Lab): Promise<{ readonly socket: string; readonly pid: number }> {
  const guest = await prepare(lab, [`${process.execPath} /run/boot/agent.mjs`]);
  await build({
    entryPoints: [AGENT],
    outfile: join(guest.boot, 'agent.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
  });
  const [port, socket] = [join(guest.boot, 'port'), join(guest.boot, 'socket')];
  const chardev = `socket,id=port,path=${port},server=on,wait=off`;
  const qemu = await lab.process(
    { inside: (argv) => argv },
    qemuCommand(guest, ['-chardev', chardev, '-device', 'virtserialport,chardev=port']),
  );
  const limit = setTimeout(() => void qemu.kill9(), LIFE_MS).unref();
  lab.defer(() => clearTimeout(limit));
  try {
    const vm = await until('QEMU to listen', async () => (qemu.running ? connected(port) : ('ended' as const)));
    if (vm === 'ended')
      throw new Error(`QEMU ended, ${await qemu.exited}; what it needs is installed by scripts/test vm`);
    const server = await relay(vm, socket, BOOT_MS);
    lab.defer(() => server.close());
    return { socket, pid: qemu.pid };
  } catch (error) {
    const said = await readFile(join(guest.boot, 'console'), 'utf8').catch(() => '');
    throw new Error(`the VM did not boot: ${String(error)}\n${qemu.log()}${said.slice(-4000)}`, { cause: error });
  }
}
