import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Gateway } from './gateway.ts';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import { until } from './wait.ts';

const RELAY = fileURLToPath(new URL('demo-relay.ts', import.meta.url));
const STATUS_PORT = '8479';

/**
 * Makes a gateway's status page reachable for a browser of this machine, at a free port of 127.0.0.1, without touching
 * the machine's own network. Not by the control socket: that one also takes writes. Returns the page's address.
 */
export async function exposePage(lab: Lab, namespace: Namespace, gateway: Gateway): Promise<string> {
  const socket = join(gateway.dir, 'page.sock');
  const relay = await lab.process(namespace, [process.execPath, RELAY, socket, STATUS_PORT]);
  await until(`the relay to ${namespace.name} to listen`, () => relay.log().includes('listening'));
  const server = createServer((client) => {
    const inside = connect(socket);
    pipeline(client, inside, client, () => undefined);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  lab.defer(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
