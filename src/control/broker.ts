import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { Aedes } from 'aedes';
import { LinkspanError, messageOf } from '../service/errors.ts';
import './mqtt-numbers.ts';
import { readCredentials } from './session/credentials.ts';

export type Broker = {
  readonly port: number;
  /** where this host itself reaches it */
  readonly url: string;
  /** a connection from this process itself, which needs no certificate */
  open(): Duplex;
  close(): Promise<void>;
};

/** Files in PEM. Without `cert` the broker speaks without TLS; without `ca` clients need no certificate. */
export type BrokerFiles = { readonly cert?: string; readonly key?: string; readonly ca?: string };

/** Starts the embedded MQTT 3.1.1 broker (retained messages in memory) on `listen`, HOST:PORT; port 0 takes a free one. */
export async function startBroker(listen: string, files: BrokerFiles = {}): Promise<Broker> {
  const { host, port } = parseListen(listen);
  const tls = files.cert ? await tlsOptions(files) : undefined;
  // without noDelay a burst of retained messages waits 41 ms each for Nagle against the client's delayed ACK
  const take = (socket: Socket): void => void aedes.handle(socket);
  const server = tls ? tlsServer(listen, tls, take) : createServer({ noDelay: true }, take);
  const aedes = await Aedes.createBroker();
  const sockets = new Set<Socket>();
  // those in the middle of their handshake too
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const closeAedes = (): Promise<void> =>
    new Promise((resolve) => {
      aedes.close(resolve);
    });
  await listenOn(server, host, port, listen).catch(async (error: unknown) => {
    // its heartbeat would keep the process alive
    await closeAedes();
    throw error;
  });
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closeAedes();
    await closed;
  };
  const bound = server.address() as AddressInfo;
  const open = (): Duplex => {
    const [ours, its] = duplexPair();
    // the end of one is none of the other by itself
    ours.once('close', () => its.destroy());
    its.once('close', () => ours.destroy());
    aedes.handle(its);
    return ours;
  };
  return { port: bound.port, url: urlOf(bound, tls ? 'mqtts' : 'mqtt'), open, close };
}

/** A broker on the wildcard is reached over loopback; one that listens on an address only there. */
function urlOf({ address, port }: AddressInfo, scheme: string): string {
  if (address === '0.0.0.0') return `${scheme}://127.0.0.1:${port}`;
  if (address === '::') return `${scheme}://[::1]:${port}`;
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function tlsServer(listen: string, options: TlsOptions, take: (socket: Socket) => void): Server {
  try {
    return createTlsServer({ ...options, noDelay: true }, take);
  } catch (error) {
    const remedy = 'check that mqtt.embedded.cert, key and ca are PEM, and that the key is the certificate’s';
    throw broken(listen, messageOf(error), remedy);
  }
}

async function tlsOptions(files: BrokerFiles): Promise<TlsOptions> {
  const { cert, key, ca } = await readCredentials(files);
  const mutual = ca ? { ca, requestCert: true, rejectUnauthorized: true } : {};
  return { cert, key, ...mutual, minVersion: 'TLSv1.2' };
}

function parseListen(listen: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:\s]+)):(\d{1,5})$/i.exec(listen);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw broken(listen, 'is not HOST:PORT', 'write for example 0.0.0.0:1883');
  return { host, port };
}

function listenOn(server: Server, host: string, port: number, listen: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const remedy = 'free the address, or set another in mqtt.embedded.listen';
    server.once('error', (error) => reject(broken(listen, messageOf(error), remedy)));
    server.listen({ host, port }, resolve);
  });
}

function broken(listen: string, reason: string, remedy: string): LinkspanError {
  return new LinkspanError({ code: 'broker_listen', object: `mqtt.embedded.listen ${listen}`, reason, remedy });
}
