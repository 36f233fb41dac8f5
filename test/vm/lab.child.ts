// A lab with a VM that is never closed: prints its folder and QEMU's process id as JSON, and waits to be killed.
import { dirname } from 'node:path';
import { Lab } from '../lab/lab.ts';
import { bootVm } from '../lab/vm/boot.ts';

const { socket, pid } = await bootVm(new Lab());
process.stdout.write(`${JSON.stringify({ folder: dirname(socket), pid })}\n`);
setInterval(() => undefined, 60_000);
