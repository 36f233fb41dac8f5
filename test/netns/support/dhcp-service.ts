import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DhcpPlace } from '../../../src/host/dhcp-hold.ts';
import type { DhcpRequest } from '../../../src/host/dhcp-request.ts';
import type { LeaseState } from '../../../src/ipam/dhcp-state.ts';
import type { DhcpLease } from '../../../src/model/dhcp.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';

type Ask =
  | { readonly call: 'acquire'; readonly key: string; readonly request: DhcpRequest; readonly abortAfter: number }
  | { readonly call: 'hold'; readonly key: string; readonly place: DhcpPlace }
  | { readonly call: 'release'; readonly key: string }
  | { readonly call: 'leases' | 'close' };
export type Question = { readonly id: number; readonly ask: Ask };
export type Answer =
  | { readonly id: number; readonly result?: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } }
  | { readonly key: string; readonly state: LeaseState | null };

const UNIT = fileURLToPath(new URL('../../../systemd/linkspan.service', import.meta.url));
const CHILD = fileURLToPath(new URL('dhcp-service.child.ts', import.meta.url));

/** Confined as the unit confines linkspand; it may read a checkout in somebody's home beside that. */
function confined(argv: readonly string[]): readonly string[] {
  const set = /^CapabilityBoundingSet=(.+)$/m.exec(readFileSync(UNIT, 'utf8'))?.[1] ?? '';
  const kept = set.split(' ').map((name) => `+${name.toLowerCase().replace(/^cap_/, '')}`);
  return ['setpriv', '--nnp', '--inh-caps=-all', `--bounding-set=-all,+dac_read_search,${kept.join(',')}`, ...argv];
}

/**
 * DhcpClients in a process of its own inside a gateway's namespace, with root's powers as far as linkspand has them,
 * so that it can be killed.
 */
export class DhcpService {
  /** every change that was told, in order */
  readonly told: { readonly key: string; readonly state: LeaseState | null }[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #count = 0;

  /** @param state path of its state file; @param timeout milliseconds to wait for a lease */
  constructor(lab: Lab, gateway: Namespace, state: string, timeout = 5000) {
    const [program = '', ...args] = gateway.inside(confined([process.execPath, CHILD, state, String(timeout)]));
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin?.on('error', () => {});
    if (this.#child.stdout)
      createInterface(this.#child.stdout).on('line', (line) => this.#hear(JSON.parse(line) as Answer));
    lab.defer(() => this.kill9());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** @param abortAfter milliseconds until it is given up */
  acquire(key: string, request: DhcpRequest, abortAfter = 60_000): Promise<DhcpLease> {
    return this.#ask({ call: 'acquire', key, request, abortAfter }) as Promise<DhcpLease>;
  }

  async hold(key: string, place: DhcpPlace): Promise<void> {
    await this.#ask({ call: 'hold', key, place });
  }

  async release(key: string): Promise<void> {
    await this.#ask({ call: 'release', key });
  }

  leases(): Promise<Readonly<Record<string, LeaseState>>> {
    return this.#ask({ call: 'leases' }) as Promise<Record<string, LeaseState>>;
  }

  /** The way down in order. */
  async close(): Promise<void> {
    const closed = once(this.#child, 'close');
    await this.#ask({ call: 'close' });
    await closed;
  }

  async kill9(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }

  async #ask(ask: Ask): Promise<unknown> {
    const id = (this.#count += 1);
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#child.stdin?.write(`${JSON.stringify({ id, ask } satisfies Question)}\n`);
    const answer = await answered;
    if ('error' in answer) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
    return 'result' in answer ? answer.result : undefined;
  }

  #hear(answer: Answer): void {
    if ('key' in answer) this.told.push(answer);
    else this.#waiting.get(answer.id)?.(answer);
  }
}
