import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DhcpEvent, DhcpEventReader } from '../ipam/dhcp-event.ts';
import type { DhcpIdentity } from '../ipam/dhcp-identity.ts';
import { inNamespace } from './run.ts';

/** Where the hook writes; udhcpc itself takes 3 and 4. */
const HOOK_DESCRIPTOR = 5;
/** What a client needs of root's powers: packet sockets, and the port 68. The DHCP server's words are hostile. */
const CAPABILITIES = '-all,+net_raw,+net_bind_service';
/** Until it ends: a DISCOVER each second, each offered address probed by ARP for 200 ms and declined if in use. */
const ONCE = ['-q', '-a200', '-t', '3', '-T', '1', '-A', '1'];
/** For good: three DISCOVERs two seconds apart, and again every 20 s. */
const FOREVER = ['-t', '3', '-T', '2', '-A', '20'];
/** One that has not heard its server's last word yet is waited for: until then it gives nothing back. */
const BINDING_MS = 1000;
const RELEASE_MS = 1000;
/** A release may first have to ask for its server's MAC; with the namespace's last process it would be lost. */
const SETTLE_MS = 50;
const STDERR_KEPT = 500;

export type UdhcpcOptions = {
  /** path of the network namespace */
  readonly namespace: string;
  readonly interface: string;
  readonly identity: DhcpIdentity;
  /** the address to ask for */
  readonly requested: string | undefined;
  /** ends with the first lease, else it renews it for good */
  readonly once: boolean;
  /** path of `udhcpc-hook` */
  readonly hook: string;
};

/**
 * One busybox udhcpc in a network namespace. It changes nothing there: what it learns comes as events. It cannot
 * outlive this process, by the kernel's doing (the parent-death signal), and holds its namespace as long as it runs.
 */
export class Udhcpc {
  /** resolves when it has ended, with its last words */
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;
  readonly #onEvent: (event: DhcpEvent) => void;
  #onDeconfig: () => void = () => {};
  readonly #bound = Promise.withResolvers<void>();

  constructor(options: UdhcpcOptions, onEvent: (event: DhcpEvent) => void) {
    this.#onEvent = onEvent;
    const [command = '', ...args] = argvOf(options);
    this.#child = spawn(command, args, {
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe', 'ignore', 'ignore', 'pipe'],
    });
    this.exited = lastWords(this.#child);
    const reader = new DhcpEventReader();
    const streams: readonly unknown[] = this.#child.stdio;
    const stream = streams[HOOK_DESCRIPTOR] as Readable | undefined;
    stream?.on('data', (chunk: Buffer) => reader.push(chunk).forEach((event) => this.#receive(event)));
    stream?.on('error', () => {});
  }

  #receive(event: DhcpEvent): void {
    if (event.name === 'bound') this.#bound.resolve();
    if (event.name === 'deconfig') this.#onDeconfig();
    this.#onEvent(event);
  }

  /** Ends it at once; the server is told nothing and the lease goes on. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  /** Gives the lease back to its server and ends; where that does not happen within 2 s, ends anyway. */
  async release(): Promise<void> {
    await Promise.race([this.#bound.promise, this.exited, sleep(BINDING_MS, undefined, { ref: false })]);
    const released = new Promise<void>((resolve) => (this.#onDeconfig = resolve));
    this.#child.kill('SIGUSR2');
    const sent = await Promise.race([released.then(() => true), this.exited, sleep(RELEASE_MS, false, { ref: false })]);
    if (sent === true) await sleep(SETTLE_MS);
    await this.end();
  }
}

function argvOf({ namespace, interface: name, identity, requested, once, hook }: UdhcpcOptions): readonly string[] {
  const confined = ['setpriv', '--pdeathsig', 'KILL', '--nnp', '--inh-caps=-all', `--bounding-set=${CAPABILITIES}`];
  const said = ['-C', '-x', `0x3d:${identity.clientId}`, '-x', `hostname:${identity.hostname}`, '-V', 'linkspan'];
  const wanted = requested === undefined ? [] : ['-r', requested];
  const client = ['busybox', 'udhcpc', '-f', '-i', name, '-s', hook, '-O', 'mtu', ...said, ...wanted];
  return inNamespace(namespace, [...confined, ...client, ...(once ? ONCE : FOREVER)]);
}

function lastWords(child: ChildProcess): Promise<string> {
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => (words = `${words}${chunk.toString()}`.slice(-STDERR_KEPT)));
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', () => resolve(words.trim().split('\n').at(-1) ?? ''));
  });
}
