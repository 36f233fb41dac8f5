// Sends broadcast frames out of an interface of its own namespace, evenly, until it is ended: DEVICE FRAMES-A-SECOND.
import { libc, LINUX } from '../../../src/host/libc.ts';
import { linkAddress } from '../../../src/host/packet-socket.ts';
import { udp } from './guard-frames.ts';

const TICK_MS = 10;
const [device = '', perSecond = ''] = process.argv.slice(2);
const frame = udp('ff:ff:ff:ff:ff:ff', '255.255.255.255', 9999);
const socket = libc().socket(LINUX.AF_PACKET, LINUX.SOCK_RAW | LINUX.SOCK_CLOEXEC, 0);
const address = linkAddress(libc().ifNameToIndex(device), frame);
const started = performance.now();
let sent = 0;

/** A frame that is dropped on its way out is an error (ENOBUFS), and was sent all the same. */
function send(): void {
  try {
    libc().sendto(socket, frame, 0, address);
  } catch {}
}

setInterval(() => {
  const due = Math.floor(((performance.now() - started) * Number(perSecond)) / 1000);
  for (; sent < due; sent += 1) send();
}, TICK_MS);
process.on('SIGTERM', () => {
  process.stdout.write(`sent ${sent} in ${Math.round(performance.now() - started)} ms\n`, () => process.exit());
});
process.stdout.write('ready\n');
