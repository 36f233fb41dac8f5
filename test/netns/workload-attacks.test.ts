import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sendFrames } from '../../src/host/packet-socket.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { AT, type CellLab, cellLab, PLANT } from './support/cell-lab.ts';
import { apply, workload } from './support/documents.ts';
import { mac, macOf, udpFrame } from './support/frames.ts';

const VNI = 10_110;
const PORT = 7002;
const INNER = { mac: '02:00:00:00:00:11', address: '10.110.0.11' } as const;

let cell: CellLab;
let inside: Namespace;

beforeAll(async () => {
  cell = await cellLab({ mqtt: { embedded: { listen: '0.0.0.0:1883' } } });
  inside = await cell.site.workload('x');
  const { networks, workloads } = cell.cells([]);
  const line = { driver: 'overlay', vni: VNI, subnet: '10.110.0.0/24' };
  const x = workload(inside, { line: INNER });
  await apply(cell.gateway, 1, { networks: { ...networks, line }, workloads: { ...workloads, x } });
});
afterAll(() => cell.lab.close());

/** A frame for the overlay's workload, in VXLAN (RFC 7348 section 5), in UDP to a VTEP, sent from a cell's workload. */
async function inject(from: Namespace, source: string, vtep: string): Promise<void> {
  const datagram = { from: '10.110.0.99', to: INNER.address, port: PORT, text: 'injected' };
  const inner = udpFrame(mac('02:00:00:00:00:99'), mac(INNER.mac), datagram);
  const header = Buffer.alloc(8);
  header.writeUInt8(0x08, 0);
  header.writeUInt32BE(VNI << 8, 4);
  const payload = Buffer.concat([header, inner]);
  const [own, router] = [await macOf(from, 'eth0'), await macOf(cell.site.gateway, 'lsb-cell')];
  const frame = udpFrame(own, router, { from: source, to: vtep, port: 4789, text: ' '.repeat(payload.length) });
  payload.copy(frame, frame.length - payload.length);
  sendFrames(from.path, 'eth0', [frame]);
}

/** A service on UDP that tells what it hears. */
async function listener(at: Namespace, port: number): Promise<() => string> {
  const service = await cell.lab.process(at, ['socat', '-u', `UDP4-RECV:${port}`, 'STDOUT']);
  await until('the service to listen', async () => (await at.exec('ss', '-lun')).stdout.includes(`:${port} `));
  return () => service.log();
}

test('a workload that sends VXLAN, from its own address or a peer’s, puts nothing into an overlay', async () => {
  const [w1] = cell.workloads;
  const hears = await listener(inside, PORT);
  for (const source of [AT.w1.address, '198.51.100.2']) await inject(w1, source, cell.site.underlay);
  // By another way: what came before it is there by then.
  await inside.exec('sh', '-c', `echo end | socat -u STDIN UDP4-SENDTO:127.0.0.1:${PORT}`);
  await until('the last datagram', () => hears().includes('end'));
  expect(hears()).toBe('end\n');
});

test('a workload sends no VXLAN to a peer behind the gateway’s address, and all else', async () => {
  const [w1] = cell.workloads;
  const [vxlan, other] = [await listener(cell.wan, 4789), await listener(cell.wan, PORT)];
  await inject(w1, AT.w1.address, '198.51.100.2');
  await w1.exec('sh', '-c', `echo end | socat -u STDIN UDP4-SENDTO:198.51.100.2:${PORT}`);
  await until('the other datagram', () => other().includes('end'));
  expect(vxlan()).toBe('');
});

async function connects(from: Namespace, address: string): Promise<boolean> {
  return (await from.attempt('socat', '-u', 'OPEN:/dev/null', `TCP4:${address}:1883,connect-timeout=1`)).code === 0;
}

test('a workload does not reach the embedded broker, from which it could command the gateway; the plant does', async () => {
  const [w1] = cell.workloads;
  expect(await connects(cell.site.plc, PLANT[4])).toBe(true);
  expect(await w1.reaches('172.30.0.1')).toBe(true);
  expect(await connects(w1, '172.30.0.1')).toBe(false);
  expect(await connects(w1, PLANT[4])).toBe(false);
});
