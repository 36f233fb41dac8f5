import { fileURLToPath } from 'node:url';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import type { LabProcess } from './process.ts';
import { until } from './wait.ts';

const SERVER = fileURLToPath(new URL('name-server.ts', import.meta.url));
const [UDP_PORT, TCP_PORT] = ['40853', '40854'];

/** A name server of the lab; see name-server.ts for what it answers. Returns once it listens. */
export async function startNameServer(
  lab: Lab,
  namespace: Namespace,
  address: string,
  ports: readonly [udp: string, tcp: string],
  answer: string,
): Promise<LabProcess> {
  const flags = ['--disable-warning=ExperimentalWarning'];
  const server = await lab.process(namespace, [process.execPath, ...flags, SERVER, address, ...ports, answer]);
  await until('the name server to listen', () => server.log().includes('listening'));
  return server;
}

/** Puts into a namespace what dockerd puts into a container's: its resolver, and the NAT to it. All is `answer`. */
export async function dockerLikeResolver(lab: Lab, container: Namespace, answer: string): Promise<LabProcess> {
  const nat = (...rule: readonly string[]): Promise<unknown> => container.exec('iptables', '-w', '-t', 'nat', ...rule);
  await nat('-N', 'DOCKER_OUTPUT');
  await nat('-N', 'DOCKER_POSTROUTING');
  await nat('-A', 'OUTPUT', '-d', '127.0.0.11', '-j', 'DOCKER_OUTPUT');
  await nat('-A', 'POSTROUTING', '-d', '127.0.0.11', '-j', 'DOCKER_POSTROUTING');
  for (const [protocol, port] of [
    ['udp', UDP_PORT],
    ['tcp', TCP_PORT],
  ] as const) {
    const to = `127.0.0.11:${port}`;
    const from = ['-s', '127.0.0.11', '-p', protocol, '--sport', port];
    await nat('-A', 'DOCKER_OUTPUT', '-d', '127.0.0.11', '-p', protocol, '--dport', '53', '-j', 'DNAT', '--to', to);
    await nat('-A', 'DOCKER_POSTROUTING', ...from, '-j', 'SNAT', '--to-source', ':53');
  }
  return startNameServer(lab, container, '127.0.0.11', [UDP_PORT, TCP_PORT], answer);
}
