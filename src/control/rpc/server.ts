import type { EventSink } from '../../model/status.ts';
import { digestOfBytes } from '../../peers/record.ts';
import type { Clock } from '../../service/clock.ts';
import { messageOf } from '../../service/errors.ts';
import { TokenBucket } from '../../service/token-bucket.ts';
import { BadRequest, type Fields, shown } from '../request/request-body.ts';
import { Answers, type ChangeMemory } from './answers.ts';
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
  /** of changes, over a restart */
  readonly memory: ChangeMemory;
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
    const known = this.#changes.find(id, payload) ?? this.#reads.find(id, payload) ?? this.#remembered(id, payload);
    if (known === 'other') return encode(id, refused('id_reused', ID_REUSED));
    if (known) return known;
    if (!this.#bucket.take()) return encode(id, refused('busy', BUSY));
    return this.#answer(id, payload);
  }

  /** The answer of an earlier run to a request that changed something. */
  #remembered(id: string, payload: Uint8Array): Promise<Buffer> | 'other' | undefined {
    try {
      const known = this.#options.memory.find(id);
      if (known === undefined) return undefined;
      if (known.digest !== digestOfBytes(payload)) return 'other';
      return Promise.resolve(
        known.answer === null ? encode(id, refused('interrupted', INTERRUPTED)) : Buffer.from(known.answer),
      );
    } catch (error) {
      return Promise.resolve(encode(id, refused('failed', `the state cannot be read: ${messageOf(error)}; ${MEND}`)));
    }
  }

  #answer(id: string, payload: Uint8Array): Promise<Buffer> {
    const request = read(payload);
    const method = 'method' in request ? this.#options.methods.get(request.method) : undefined;
    const said =
      'method' in request ? this.#run(request, method, () => this.#begin(id, payload)) : Promise.resolve(request);
    const answer = said.then((one) => encode(id, one));
    (method?.changes ? this.#changes : this.#reads).keep(id, payload, answer);
    return method?.changes ? answer.then((bytes) => this.#finish(id, bytes)) : answer;
  }

  /** Before it is carried out, so that a restart in the middle does not have it carried out again. */
  #begin(id: string, payload: Uint8Array): void {
    try {
      this.#options.memory.begin(id, digestOfBytes(payload));
    } catch (error) {
      throw new Error(`the request cannot be remembered (${messageOf(error)}) and was not carried out; ${MEND}`, {
        cause: error,
      });
    }
  }

  #finish(id: string, answer: Buffer): Buffer {
    try {
      this.#options.memory.finish(id, answer.toString());
    } catch (error) {
      this.#options.onEvent('state.unwritable', 'error', `the answer to request ${id}: ${messageOf(error)}; ${MEND}`);
    }
    return answer;
  }

  async #run(request: RpcRequest, method: RpcMethod | undefined, begin: () => void): Promise<RpcAnswer> {
    if (method === undefined) {
      const known = [...this.#options.methods.keys()].join(', ');
      const message = `there is no method ${shown(request.method)}; there are ${known}`;
      return refused('unknown_method', message, '/method');
    }
    try {
      const untimely = this.#untimely(request, method);
      if (untimely) return untimely;
      if (method.changes) begin();
      return await method.run(request.params);
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

/** Changes are remembered for longer: nobody makes a thousand of them in this time. */
const DEADLINE_S = 600;
const MEND = 'free some space on the disk of its state, and ask again under another id';
const INTERRUPTED =
  'the service ended while it carried this out; see by its reported state what came of it, and ask again under another id';
const EXPIRED = 'the request came after its deadline and was not carried out; ask again';
const NO_DEADLINE = `a signed request that changes something says until when it holds; give a deadline (seconds since 1970) at most ${DEADLINE_S} s from now`;
const ID_REUSED = 'this id stood for another request before; give each request an id of its own';
const BUSY = 'more than 5 requests a second; ask again later, under another id';

function encode(id: string, answer: RpcAnswer): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, id, ...answer }));
}
