import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { sendFrames } from '../../src/host/packet-socket.ts';
import type { Namespace } from '../lab/namespace.ts';
import type { LabProcess } from '../lab/process.ts';
import { until } from '../lab/wait.ts';
import { type CellLab, cellLab, PLC } from './support/cell-lab.ts';
import { apply } from './support/documents.ts';
import { type Datagram, macOf, udpFrame } from './support/frames.ts';

let cell: CellLab;
let host: Namespace;
let w1: Namespace;

beforeEach(async () => {
  cell = await cellLab();
  [w1] = cell.workloads;
  host = cell.site.gateway;
});
afterEach(() => cell.lab.close());

const PRINT = `const s = require('node:dgram').createSocket('udp4'); s.on('message', (m) => console.log(String(m)));
  s.bind(Number(process.argv[1]), process.argv[2], () => console.log('ready'));`;

/** A program that prints what it is sent. */
async function listen(at: Namespace, port: number, address: string): Promise<LabProcess> {
  const process_ = await cell.lab.process(at, [process.execPath, '-e', PRINT, String(port), address]);
  await until('the listener', () => process_.log().includes('ready'));
  return process_;
}

async function send(from: Namespace, toDevice: string, datagram: Datagram): Promise<void> {
  const frame = udpFrame(await macOf(from, 'eth0'), await macOf(host, toDevice), datagram);
  sendFrames(from.path, 'eth0', [frame]);
}

test('from the wire nobody reaches a port published at 127.0.0.1, nor the gateway’s own services there', async () => {
  await apply(cell.gateway, 1, cell.cells(['127.0.0.1:7002:80/udp', '7003:81/udp']));
  const [published, open, own] = [
    await listen(w1, 80, '0.0.0.0'),
    await listen(w1, 81, '0.0.0.0'),
    await listen(host, 99, '127.0.0.1'),
  ];
  // Where the host takes packets that bear an address of its own, only our rules are left to stop them.
  await cell.sysctl('ipv4/conf/all/accept_local', 1);
  const plc = { from: PLC[4], to: '127.0.0.1' };
  await send(cell.site.plc, 'lan0', { ...plc, port: 7002, text: 'to the published port, from the plant' });
  await send(cell.site.plc, 'lan0', { ...plc, port: 7003, text: 'to the open port at 127.0.0.1' });
  await send(cell.site.plc, 'lan0', { ...plc, port: 99, text: 'to the service, from the plant' });
  await send(w1, 'lsb-cell', { from: '172.30.0.31', to: '127.0.0.1', port: 99, text: 'to the service, from w1' });
  await send(w1, 'lsb-cell', { from: '127.0.0.1', to: '172.30.0.1', port: 7003, text: 'as if from the host' });
  // What goes the right way arrives, and after all of these.
  await send(cell.site.plc, 'lan0', { from: PLC[4], to: '10.20.0.1', port: 7003, text: 'the right way' });
  await until('the last', () => open.log().includes('the right way'));
  await host.exec('sh', '-c', 'echo local | socat - UDP:127.0.0.1:99; echo local | socat - UDP:127.0.0.1:7002');
  await until('the host itself', () => own.log().includes('local') && published.log().includes('local'));
  expect([published.log(), open.log(), own.log()]).toEqual([
    'ready\nlocal\n\n',
    'ready\nthe right way\n',
    'ready\nlocal\n\n',
  ]);
});
