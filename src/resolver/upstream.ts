import dgram from 'node:dgram';
import net from 'node:net';
import { bindInside, startConnecting } from '../host/namespace-socket.ts';
import type { HostNameservers } from '../host/resolv-conf.ts';
import { DNS_PORT, PASSING_SOURCE, RESOLVER_ADDRESS } from '../host/resolver-redirect.ts';
import { isUnhelpful } from '../names/message.ts';
import { exchange, type Server } from './exchange.ts';

/** Whoever answers what is no name of ours. */
export interface Upstream {
  /**
   * The answer to a whole query, under the query's id; undefined where nobody answers. Ends within 5 seconds: after
   * that the C library's resolvers have stopped listening.
   */
  ask(query: Buffer, stream: boolean): Promise<Buffer | undefined>;
}

const TRY_MS = 1500;
const ALL_MS = 4500;

/** The host's own name servers, from the host's namespace: each in turn, and again while there is time. */
export class HostUpstream implements Upstream {
  readonly #nameservers: Pick<HostNameservers, 'list'>;
  readonly #port: number;

  constructor(nameservers: Pick<HostNameservers, 'list'>, port = DNS_PORT) {
    this.#nameservers = nameservers;
    this.#port = port;
  }

  async ask(query: Buffer, stream: boolean): Promise<Buffer | undefined> {
    const deadline = performance.now() + ALL_MS;
    const servers = await this.#nameservers.list();
    let unhelpful: Buffer | undefined;
    for (const address of [...servers, ...servers]) {
      const left = Math.min(TRY_MS, deadline - performance.now());
      if (left <= 0) break;
      const answer = await exchange(serverAt(address, this.#port), query, stream, left).catch(() => undefined);
      if (answer !== undefined && !isUnhelpful(answer)) return answer;
      unhelpful = answer ?? unhelpful;
    }
    return unhelpful;
  }
}

function serverAt(host: string, port: number): Server {
  return {
    udp: () => connected(dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4'), host, port),
    tcp: () => net.connect({ host, port }),
  };
}

function connected(socket: dgram.Socket, host: string, port: number): dgram.Socket {
  // Then the kernel drops what comes from anybody else, and tells at once where nobody listens.
  socket.connect(port, host);
  return socket;
}

/** Docker's own resolver in the container at `path`, past our redirect; it does its own retries. */
export class DockerUpstream implements Upstream {
  readonly #server: Server;

  constructor(path: string) {
    const from = { ip: PASSING_SOURCE, port: 0 };
    const to = { ip: RESOLVER_ADDRESS, port: DNS_PORT };
    this.#server = {
      udp: () => connected(adopted(bindInside(path, 'udp', from)), to.ip, to.port),
      tcp: () => new net.Socket({ fd: startConnecting(bindInside(path, 'tcp', from), to) }),
    };
  }

  ask(query: Buffer, stream: boolean): Promise<Buffer | undefined> {
    return exchange(this.#server, query, stream, ALL_MS).catch(() => undefined);
  }
}

function adopted(fd: number): dgram.Socket {
  const socket = dgram.createSocket('udp4');
  socket.bind({ fd });
  return socket;
}
