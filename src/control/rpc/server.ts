import type { EventSink } from '../../model/status.ts';
import type { Clock } from '../../service/clock.ts';
import { messageOf } from '../../service/errors.ts';
import { TokenBucket } from '../../service/token-bucket.ts';
import { BadRequest, type Fields } from '../request-body.ts';
import { Answers } from './answers.ts';
import { parseRequest, refused, REQUEST_MAX, type RpcAnswer, type RpcRequest } from './request.ts';

/** One method; what it throws as BadRequest is the caller's fault, anything else ours. */
export type RpcMethod = (params: Fields) => RpcAnswer | Promise<RpcAnswer>;
export type RpcMethods = ReadonlyMap<string, RpcMethod>;

export type RpcServerOptions = {
  readonly methods: RpcMethods;
  readonly clock: Clock;
  /** whether the wall clock is synchronised: only then is a deadline judged */
  readonly clockIsRight: () => boolean;
  readonly onEvent: EventSink;
};

/** Answers what operators ask over the broker, each request once. */
export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #answers = new Answers();
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
    const known = this.#answers.find(id, payload);
    if (known === 'other') return encode(id, refused('id_reused', ID_REUSED));
    if (known) return known;
    if (!this.#bucket.take()) return encode(id, refused('busy', BUSY));
    const answer = this.#answer(payload).then((said) => encode(id, said));
    this.#answers.keep(id, payload, answer);
    return answer;
  }

  async #answer(payload: Uint8Array): Promise<RpcAnswer> {
    if (payload.length > REQUEST_MAX) return refused('too_large', `the request is larger than ${REQUEST_MAX} bytes`);
    try {
      return await this.#run(parseRequest(payload));
    } catch (error) {
      return refused(error instanceof BadRequest ? 'malformed' : 'failed', messageOf(error));
    }
  }

  #run({ method, params, deadline }: RpcRequest): RpcAnswer | Promise<RpcAnswer> {
    const { methods, clock, clockIsRight } = this.#options;
    const run = methods.get(method);
    if (run === undefined) {
      const known = [...methods.keys()].join(', ');
      return refused('unknown_method', `there is no method ${JSON.stringify(method)}; there are ${known}`, '/method');
    }
    if (deadline !== undefined && clockIsRight() && deadline < clock.now() / 1000)
      return refused('expired', 'the request came after its deadline and was not carried out; ask again', '/deadline');
    return run(params);
  }
}

const ID_REUSED = 'this id stood for another request before; give each request an id of its own';
const BUSY = 'more than 5 requests a second; ask again later, under another id';

function encode(id: string, answer: RpcAnswer): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, id, ...answer }));
}
