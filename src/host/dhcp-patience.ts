import { type Asked, failed, noLease } from './dhcp-failures.ts';

/** How long one lease is waited for. */
export class Patience {
  readonly #over = new AbortController();
  readonly #request: Asked;
  readonly #timeout: number;
  #timer: NodeJS.Timeout;
  #asked = false;
  /** a server's last words, where one refused */
  refusal: string | undefined;

  /** Many clients at once on a small gateway start slowly; the server's time counts from the first question on. */
  constructor(request: Asked, timeout: number) {
    this.#request = request;
    this.#timeout = timeout;
    this.#timer = setTimeout(() => this.#over.abort(failed(request, 'it did not start in time')), 2 * timeout);
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  asked(): void {
    if (this.#asked) return;
    this.#asked = true;
    clearTimeout(this.#timer);
    const late = (): void => this.#over.abort(noLease(this.#request, this.#timeout, this.refusal));
    this.#timer = setTimeout(late, this.#timeout);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
