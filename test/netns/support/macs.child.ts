// Sends small frames to one station out of an interface of its own namespace, each with another source MAC: DEVICE TO COUNT.
import { libc, LINUX } from '../../../src/host/libc.ts';
import { linkAddress } from '../../../src/host/packet-socket.ts';
import { frame } from './guard-frames.ts';

const [device = '', to = '', count = ''] = process.argv.slice(2);
const socket = libc().socket(LINUX.AF_PACKET, LINUX.SOCK_RAW | LINUX.SOCK_CLOEXEC, 0);
const sent = frame(to, 0x88b5, Buffer.alloc(46));
const address = linkAddress(libc().ifNameToIndex(device), sent);
for (let source = 0; source < Number(count); source += 1) {
  sent.writeUInt32BE(0x06_00_00_00, 6);
  sent.writeUIntBE(source, 8, 4);
  libc().sendto(socket, sent, 0, address);
}
