// Runs inside the VM, for all labs at once: takes requests from the serial port and answers them there.
import { createReadStream, createWriteStream, globSync, openSync } from 'node:fs';
import { getOverSocket } from '../over-socket.ts';
import type { Child, Order } from '../spawn.ts';
import { spawnHere } from '../spawn.ts';
import { type Event, framed, onLine, READY, type Request, unframed } from './protocol.ts';

const [port = ''] = globSync('/dev/vport*');
// The kernel lets it be opened once only.
const fd = openSync(port, 'r+');
const out = createWriteStream('', { fd });
/** per lab, what runs for it */
const labs = new Map<string, Map<number, Child>>();

const childrenOf = (lab: string): Map<number, Child> => {
  const known = labs.get(lab) ?? new Map<number, Child>();
  labs.set(lab, known);
  return known;
};

async function start(lab: string, id: number, order: Order, tell: (event: Event) => void): Promise<void> {
  const children = childrenOf(lab);
  const child = await spawnHere(order, (stream, chunk) =>
    tell({ id, event: 'output', stream, bytes: chunk.toString('base64') }),
  );
  tell({ id, event: 'started', pid: child.pid });
  children.set(id, child);
  // The lab may have left meanwhile.
  if (labs.get(lab) !== children) child.kill('SIGKILL');
  const code = await child.exited;
  children.delete(id);
  tell({ id, event: 'ended', code });
}

async function serve(lab: string, request: Request): Promise<void> {
  const tell = (event: Event): unknown => out.write(framed(lab, event));
  switch (request.op) {
    case 'leave':
      for (const child of childrenOf(lab).values()) child.kill('SIGKILL');
      labs.delete(lab);
      return;
    case 'kill':
      childrenOf(lab).get(request.id)?.kill(request.signal);
      return;
    case 'start':
      return start(lab, request.id, request, tell).catch(
        (error: Error) => void tell({ id: request.id, event: 'failed', message: error.message }),
      );
    case 'get':
      return getOverSocket(request.socket, request.path).then(
        (answer) => void tell({ id: request.id, event: 'answer', answer }),
        (error: Error) => void tell({ id: request.id, event: 'failed', message: error.message }),
      );
  }
}

onLine(createReadStream('', { fd }), (line) => {
  const { lab, json } = unframed(line);
  void serve(lab, JSON.parse(json) as Request);
});
out.write(`${READY}\n`);
