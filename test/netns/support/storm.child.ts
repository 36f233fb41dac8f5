// Sends broadcast frames out of an interface of its own namespace, evenly, until it is ended: DEVICE FRAMES-A-SECOND.
import { sendFrames } from '../../../src/host/packet-socket.ts';
import { udp } from './guard-frames.ts';

const TICK_MS = 10;
const [device = '', perSecond = ''] = process.argv.slice(2);
const one = udp('ff:ff:ff:ff:ff:ff', '255.255.255.255', 9999);
const started = performance.now();
let sent = 0;

setInterval(() => {
  const due = Math.floor(((performance.now() - started) * Number(perSecond)) / 1000) - sent;
  sendFrames(
    '/proc/self/ns/net',
    device,
    Array.from({ length: due }, () => one),
  );
  sent += due;
}, TICK_MS);
process.on('SIGTERM', () => {
  process.stdout.write(`sent ${sent} in ${Math.round(performance.now() - started)} ms\n`, () => process.exit());
});
process.stdout.write('ready\n');
