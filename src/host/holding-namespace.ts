import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { LinkspanError } from '../service/errors.ts';

/**
 * A network namespace without name or addresses, for interfaces that no host stack may speak on: in the gateway's own
 * namespace the kernel would answer ARP for the gateway's addresses on each of them (`arp_ignore` 0). It lives as long
 * as a process in it, which ends with this one however that ends; the kernel then removes namespace and interfaces.
 */
export class HoldingNamespace {
  readonly path: string;
  readonly #keeper: ChildProcess;

  private constructor(keeper: ChildProcess, pid: number) {
    this.#keeper = keeper;
    this.path = `/proc/${pid}/ns/net`;
  }

  /** @throws LinkspanError where the kernel or a missing program refuses */
  static async open(): Promise<HoldingNamespace> {
    const keeper = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--net', 'cat'], { stdio: 'pipe' });
    let said = '';
    keeper.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    keeper.stdin.on('error', () => {});
    // What is written comes back only once `cat` runs, and by then in the new namespace.
    keeper.stdin.write('\n');
    const ended = once(keeper, 'close').then(() => false);
    const ready = await Promise.race([once(keeper.stdout, 'data').then(() => true), ended]).catch(() => false);
    if (ready && keeper.pid !== undefined) return new HoldingNamespace(keeper, keeper.pid);
    throw new LinkspanError({
      code: 'command_failed',
      object: 'a network namespace for DHCP',
      reason: said.trim() || 'setpriv, unshare or cat cannot be run',
      remedy: 'install util-linux and coreutils',
    });
  }

  get open(): boolean {
    return this.#keeper.exitCode === null && this.#keeper.signalCode === null;
  }

  async close(): Promise<void> {
    if (!this.open) return;
    const closed = once(this.#keeper, 'close');
    this.#keeper.kill('SIGKILL');
    await closed;
  }
}
