import type { EventSink } from '../../model/status.ts';
import type { Clock } from '../../service/clock.ts';
import { messageOf } from '../../service/errors.ts';
import { TokenBucket } from '../../service/token-bucket.ts';
import { BadRequest, type Fields, shown } from '../request-body.ts';
import { Answers } from './answers.ts';
import { parseRequest, refused, REQUEST_MAX, type RpcAnswer, type RpcRequest } from './request.ts';

/** One method; what `run` throws as BadRequest is the caller's fault, anything else ours. */
export type RpcMethod = {
  /** it changes something, so that a replay would matter */
  readonly changes: boolean;
  readonly run: (params: Fields) => RpcAnswer | Promise<RpcAnswer>;
};
export type RpcMethods = ReadonlyMap<string, RpcMethod>;

export type RpcServerOptions = {
  readonly methods: RpcMethods;
  readonly clock: Clock;
  /** whether the wall clock is synchronised: only then is a deadline judged */
  readonly clockIsRight: () => boolean;
  /** whether requests are signed: then each change has a deadline, after which it is a replay */
  readonly signed: boolean;
  readonly onEvent: EventSink;
};

/** Answers what operators ask over the broker, each request once. */
export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #changes = new Answers();
  /** apart, so that many reads do not push a change out of memory */
  readonly #reads = new Answers();
  readonly #bucket: TokenBucket;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket({ burst: 20, perSecond: 5 }, options.clock);
  }

  /** Takes the payload of a request's topic, and gives the answer's; undefined: there is none. Never rejects. */
  async take(id: string, payload: Uint8Array, retained: boolean): Promise<Buffer | undefined> {
    if (payload.length === 0) return undefined;
    // one that was retained by mistake would be carried out at every connection
    if (retained) {
      const remedy = 'publish requests without the retain flag, and an empty retained message there to remove this one';
      this.#options.onEvent('rpc_retained', 'warning', `request ${id} is retained and was not carried out; ${remedy}`);
      return undefined;
    }
    const known = this.#changes.find(id, payload) ?? this.#reads.find(id, payload);
    if (known === 'other') return encode(id, refused('id_reused', ID_REUSED));
    if (known) return known;
    if (!this.#bucket.take()) return encode(id, refused('busy', BUSY));
    return this.#answer(id, payload);
  }

  #answer(id: string, payload: Uint8Array): Promise<Buffer> {
    const request = read(payload);
    const method = 'method' in request ? this.#options.methods.get(request.method) : undefined;
    const said = 'method' in request ? this.#run(request, method) : Promise.resolve(request);
    const answer = said.then((one) => encode(id, one));
    (method?.changes ? this.#changes : this.#reads).keep(id, payload, answer);
    return answer;
  }

  async #run(request: RpcRequest, method: RpcMethod | undefined): Promise<RpcAnswer> {
    if (method === undefined) {
      const known = [...this.#options.methods.keys()].join(', ');
      const message = `there is no method ${shown(request.method)}; there are ${known}`;
      return refused('unknown_method', message, '/method');
    }
    try {
      return this.#untimely(request, method) ?? (await method.run(request.params));
    } catch (error) {
      return refused(error instanceof BadRequest ? 'malformed' : 'failed', messageOf(error));
    }
  }

  #untimely({ deadline }: RpcRequest, { changes }: RpcMethod): RpcAnswer | undefined {
    const { clock, clockIsRight, signed } = this.#options;
    const left = deadline === undefined || !clockIsRight() ? 0 : deadline - clock.now() / 1000;
    if (left < 0) return refused('expired', EXPIRED, '/deadline');
    const isOpen = deadline === undefined || left > DEADLINE_S;
    return signed && changes && isOpen ? refused('malformed', NO_DEADLINE, '/deadline') : undefined;
  }
}

function read(payload: Uint8Array): RpcRequest | RpcAnswer {
  if (payload.length > REQUEST_MAX) return refused('too_large', `the request is larger than ${REQUEST_MAX} bytes`);
  try {
    return parseRequest(payload);
  } catch (error) {
    return refused('malformed', messageOf(error));
  }
}

/** Changes are remembered for longer: nobody makes 256 of them in this time. */
const DEADLINE_S = 600;
const EXPIRED = 'the request came after its deadline and was not carried out; ask again';
const NO_DEADLINE = `a signed request that changes something says until when it holds; give a deadline (seconds since 1970) at most ${DEADLINE_S} s from now`;
const ID_REUSED = 'this id stood for another request before; give each request an id of its own';
const BUSY = 'more than 5 requests a second; ask again later, under another id';

function encode(id: string, answer: RpcAnswer): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, id, ...answer }));
}
