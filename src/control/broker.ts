import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { LinkspanError, messageOf } from '../service/errors.ts';

export type Broker = {
  readonly port: number;
  /** where this host itself reaches it */
  readonly url: string;
  close(): Promise<void>;
};

/** Starts the embedded MQTT 3.1.1 broker (retained messages in memory) on `listen`, HOST:PORT; port 0 takes a free one. */
export async function startBroker(listen: string): Promise<Broker> {
  const { host, port } = parseListen(listen);
  const aedes = await Aedes.createBroker();
  const sockets = new Set<Socket>();
  // without noDelay a burst of retained messages waits 41 ms each for Nagle against the client's delayed ACK
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    aedes.handle(socket);
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
  return { port: bound.port, url: urlOf(bound), close };
}

/** A broker on the wildcard is reached over loopback; one that listens on an address only there. */
function urlOf({ address, port }: AddressInfo): string {
  if (address === '0.0.0.0') return `mqtt://127.0.0.1:${port}`;
  if (address === '::') return `mqtt://[::1]:${port}`;
  return `mqtt://${address.includes(':') ? `[${address}]` : address}:${port}`;
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
