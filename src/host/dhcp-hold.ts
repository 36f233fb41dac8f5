import { statSync } from 'node:fs';
import type { DhcpEvent, DhcpVariables } from '../ipam/dhcp-event.ts';
import type { DhcpIdentity } from '../ipam/dhcp-identity.ts';
import { parseLease } from '../ipam/dhcp-lease.ts';
import type { DhcpNews } from '../ipam/lease-book.ts';
import { visible } from '../model/text.ts';
import type { Clock } from '../service/clock.ts';
import { Udhcpc } from './udhcpc.ts';

const FIRST_MS = 1000;
const LONGEST_MS = 60_000;

/** Where an endpoint's lease is to be renewed. */
export type DhcpPlace = {
  /** path of the sandbox's network namespace */
  readonly namespace: string;
  readonly interface: string;
  readonly identity: DhcpIdentity;
};

export type DhcpHoldOptions = {
  readonly hook: string;
  readonly clock: Clock;
  /** the address to ask for at each start of a client */
  readonly requested: () => string | undefined;
  readonly news: DhcpNews;
};

/** Keeps one endpoint's lease inside its sandbox: a client there, started again, ever later, whenever it ends. */
export class DhcpHold {
  readonly place: DhcpPlace;
  readonly #options: DhcpHoldOptions;
  #client: Udhcpc | undefined;
  #inode: number | undefined;
  #bound = false;
  #refused = false;
  #failures = 0;
  #due = 0;

  constructor(place: DhcpPlace, options: DhcpHoldOptions) {
    this.place = place;
    this.#options = options;
    this.#start();
  }

  /** Whether its namespace is gone, or another one has taken its name: the client would keep it alive for ever. */
  vanished(): boolean {
    return this.#inode === undefined || inodeOf(this.place.namespace) !== this.#inode;
  }

  /** To be called every few seconds: starts the client that has ended, when its time has come. */
  tick(): void {
    if (this.#client === undefined && this.#options.clock.monotonic() >= this.#due) this.#start();
  }

  /** The server is told nothing, the lease goes on. */
  async end(): Promise<void> {
    await this.#take()?.end();
  }

  /** Gives the lease back, where the client has one and reaches its server. */
  async release(): Promise<void> {
    await this.#take()?.release();
  }

  #take(): Udhcpc | undefined {
    const client = this.#client;
    this.#client = undefined;
    this.#due = Infinity;
    return client;
  }

  #start(): void {
    const { hook, requested } = this.#options;
    this.#inode = inodeOf(this.place.namespace);
    this.#bound = false;
    const client = new Udhcpc({ ...this.place, requested: requested(), once: false, hook }, (event) => {
      if (this.#client === client) this.#receive(event);
    });
    this.#client = client;
    void client.exited.then((words) => this.#exited(client, words));
  }

  #exited(client: Udhcpc, words: string): void {
    if (this.#client === client) this.#failed(`the DHCP client ended: ${visible(words) || 'it said nothing'}`);
  }

  #failed(message: string): void {
    this.#client = undefined;
    this.#due = this.#options.clock.monotonic() + Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#options.news.trouble(message);
  }

  #receive({ name, variables }: DhcpEvent): void {
    const { news } = this.#options;
    if (name === 'bound' || name === 'renew') this.#read(variables);
    if (name === 'leasefail') news.trouble(`no DHCP server answers on ${this.place.interface}`);
    if (name === 'nak') this.#nak(visible(variables['message'] ?? ''));
    if (name === 'deconfig') this.#deconfig();
  }

  #nak(message: string): void {
    this.#refused = true;
    this.#options.news.trouble(`the DHCP server refused, saying "${message}"`);
  }

  /** Said at a client's start, after a refusal, and up to 30 s before a lease's end, when nobody has renewed it. */
  #deconfig(): void {
    if (this.#bound && this.#refused) this.#options.news.revoked();
    this.#bound = false;
    this.#refused = false;
  }

  #read(variables: DhcpVariables): void {
    const read = parseLease(variables, this.#options.clock.now());
    if ('lease' in read) {
      this.#bound = true;
      this.#failures = 0;
      this.#options.news.granted(read.lease);
    } else {
      // The client believes in it: a new one may meet another server.
      void this.#client?.end();
      this.#failed(`a DHCP server's answer cannot be used: ${read.unusable}`);
    }
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}
