import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { until } from '../../lab/wait.ts';

export type Transfer = {
  readonly from: Namespace;
  readonly to: Namespace;
  readonly address: string;
  readonly protocol: 'tcp' | 'udp';
  readonly bytes: number;
  readonly mtu: number;
};

const UDP_DATAGRAMS = 50;

/**
 * Sends random bytes from one namespace to another, and hashes them at both ends (SHA-256). UDP sends a handful of
 * datagrams of the network's size, slowly enough that a correct path loses none.
 */
export async function sendHashed(lab: Lab, transfer: Transfer): Promise<{ sent: string; received: string }> {
  const { from, to, address, protocol, mtu } = transfer;
  const six = address.includes(':');
  const size = mtu - (six ? 48 : 28);
  const data = randomBytes(protocol === 'tcp' ? transfer.bytes : size * UDP_DATAGRAMS);
  const dir = await lab.folder();
  const [source, target] = [join(dir, 'sent'), join(dir, 'received')];
  await writeFile(source, data);
  const host = six ? `[${address}]` : address;
  const kind = `${protocol.toUpperCase()}${six ? '6' : '4'}`;
  const listen = protocol === 'tcp' ? `${kind}-LISTEN:7007,reuseaddr` : `${kind}-RECV:7007,reuseaddr,rcvbuf=4194304`;
  const receiver = await lab.process(to, ['socat', '-u', '-b', '65536', listen, `CREATE:${target}`]);
  await until(
    'the receiver to listen',
    async () => (await to.exec('ss', '-Hlnut', 'sport', '=', ':7007')).stdout !== '',
  );
  const block = protocol === 'tcp' ? 65_536 : size;
  await from.exec('socat', '-u', '-b', String(block), `OPEN:${source}`, `${kind}:${host}:7007`);
  const hashOf = async (): Promise<string> => {
    const { stdout } = await to.exec('sha256sum', target);
    return stdout.slice(0, 64);
  };
  const sent = createHash('sha256').update(data).digest('hex');
  // A receiver of UDP does not learn that the sender is done.
  if (protocol === 'tcp') await receiver.exited;
  else await until('all datagrams', async () => (await hashOf()) === sent, 3000).catch(() => undefined);
  await receiver.stop();
  return { sent, received: await hashOf() };
}
