// Run by dhcp.test.ts in a gateway's namespace: does what each line of its input asks for, and says what comes of it.
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { DhcpClients } from '../../../src/host/dhcp-clients.ts';
import { LinkspanError } from '../../../src/service/errors.ts';
import { openStore } from '../../../src/store/store.ts';
import type { Answer, Question } from './dhcp-service.ts';

const [, , path = '', timeout = '5000'] = process.argv;
const hook = fileURLToPath(new URL('../../../src/host/udhcpc-hook', import.meta.url));
const store = openStore(path, { warn: () => undefined });
const clients = new DhcpClients({ hook, store: store.dhcpLeases, timeout: Number(timeout) });
const say = (words: Answer): void => void process.stdout.write(`${JSON.stringify(words)}\n`);

async function answer({ id, ask }: Question): Promise<void> {
  try {
    say({ id, result: await act(ask) });
  } catch (error) {
    const { code, message } = error as LinkspanError;
    say({ id, error: { code: error instanceof LinkspanError ? code : 'thrown', message } });
  }
}

async function act(ask: Question['ask']): Promise<unknown> {
  if (ask.call === 'acquire') return clients.acquire(ask.key, ask.request, AbortSignal.timeout(ask.abortAfter));
  if (ask.call === 'hold') return clients.hold(ask.key, ask.place);
  if (ask.call === 'release') return clients.release(ask.key);
  if (ask.call === 'leases') return Object.fromEntries(clients.leases());
  return close();
}

async function close(): Promise<void> {
  await clients.close();
  store.close();
  process.stdin.destroy();
}

clients.onChange((key, state) => say({ key, state: state ?? null }));
createInterface(process.stdin).on('line', (line) => void answer(JSON.parse(line) as Question));
