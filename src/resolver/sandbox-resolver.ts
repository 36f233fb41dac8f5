import { libc } from '../host/libc.ts';
import { DNS_PORT, redirectResolver } from '../host/resolver-redirect.ts';
import { encodeFound, failure, type Query, readQuery } from '../names/message.ts';
import type { NameTable } from '../names/table.ts';
import { systemClock } from '../service/clock.ts';
import { LinkspanError, messageOf } from '../service/errors.ts';
import type { Limit } from './limit.ts';
import { Listener } from './listener.ts';
import { Rate } from './rate.ts';
import type { Upstream } from './upstream.ts';

export type SandboxResolverOptions = {
  /** of the namespace */
  readonly path: string;
  readonly names: NameTable;
  readonly upstream: Upstream;
  /** whether somebody else answers at 127.0.0.11:53 there, who must not be left without our redirect's safety */
  readonly shared: boolean;
  readonly limit: Limit;
};

const MAX_QUERIES_A_SECOND = 2000;

function cannotRedirect(path: string, cause: unknown): LinkspanError {
  const reason = `nftables takes no table there that goes with its owner (${messageOf(cause)})`;
  const remedy = 'Linux 5.12 or later does, unless another Linkspan serves that namespace already';
  return new LinkspanError({ code: 'names_unavailable', object: path, reason, remedy });
}

/** One workload's resolver: answers at 127.0.0.11:53 inside its namespace, as Docker's does in a container. */
export class SandboxResolver {
  readonly #options: SandboxResolverOptions;
  readonly #listener: Listener;
  readonly #redirect: number | undefined;
  #names: NameTable;
  /** A workload that floods its resolver must not cost the service its time. */
  readonly #rate = new Rate(MAX_QUERIES_A_SECOND, () => systemClock.monotonic());
  #turn = 0;

  /** @throws Error where the workload cannot have one; nothing is left behind then */
  constructor(options: SandboxResolverOptions) {
    this.#options = options;
    this.#names = options.names;
    const { path } = options;
    const answer = (message: Buffer, stream: boolean): Promise<Buffer | undefined> => this.#answer(message, stream);
    const listener = new Listener(path, 0, answer);
    try {
      this.#redirect = redirectResolver(path, listener.ports);
      this.#listener = listener;
    } catch (error) {
      listener.close();
      if (options.shared) throw cannotRedirect(path, error);
      // Without a redirect the port itself will do, as long as the workload serves no DNS.
      this.#listener = new Listener(path, DNS_PORT, answer);
    }
  }

  setNames(names: NameTable): void {
    this.#names = names;
  }

  close(): void {
    // First the redirect: there is no moment in which it leads nowhere.
    if (this.#redirect !== undefined) libc().close(this.#redirect);
    this.#listener.close();
  }

  async #answer(message: Buffer, stream: boolean): Promise<Buffer | undefined> {
    const received = this.#rate.admit() ? readQuery(message, stream) : undefined;
    if (received === undefined || 'reply' in received) return received?.reply;
    const { query } = received;
    const found = this.#names.find(query.question.name);
    if (found === undefined) return this.#forward(query, stream);
    return encodeFound(query, found, (this.#turn += 1));
  }

  async #forward({ bytes }: Query, stream: boolean): Promise<Buffer> {
    const { limit, upstream, path } = this.#options;
    if (!limit.enter(path)) return failure(bytes, 'SERVFAIL');
    try {
      return (await upstream.ask(bytes, stream)) ?? failure(bytes, 'SERVFAIL');
    } finally {
      limit.leave(path);
    }
  }
}
