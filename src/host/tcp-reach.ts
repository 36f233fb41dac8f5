import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Whether a host is there: it took the connection, or said itself that nobody listens. */
export type Reach = {
  readonly answer: 'accepted' | 'refused' | 'silent';
  /** it was this host itself that answered */
  readonly own: boolean;
};

type ConnectError = NodeJS.ErrnoException & {
  readonly address?: string;
  readonly errors?: readonly { readonly address?: string }[];
};

const TIMEOUT_MS = 3000;

/** Connects anew and hangs up. Never rejects. */
export function reach(host: string, port: number): Promise<Reach> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answer: Reach['answer'], address: string): void => {
      socket.destroy();
      resolve({ answer, own: isOwnAddress(address) });
    };
    // Not socket.setTimeout: looking the name up does not count as idle.
    const timer = setTimeout(() => end('silent', ''), TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.once('connect', () => end('accepted', socket.remoteAddress ?? ''));
    socket.once('error', (error: ConnectError) => {
      // A name with several addresses has an error of each.
      const { address = error.errors?.[0]?.address } = error;
      end(error.code === 'ECONNREFUSED' ? 'refused' : 'silent', address ?? '');
    });
  });
}

/** Whether the address is one of this host's, loopback's included. */
export function isOwnAddress(address: string): boolean {
  if (address === '::1' || address === 'localhost' || address.startsWith('127.')) return true;
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return own.some((one) => one.address === address);
}
