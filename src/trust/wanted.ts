/** As many names as a liar may make us ask for. */
const MAX_WANTED = 1024;

/** The gateways that signed something and whom nobody has vouched for yet: their trust records are to be asked for. */
export class Wanted {
  readonly #gateways = new Set<string>();

  get gateways(): readonly string[] {
    return [...this.#gateways];
  }

  add(gw: string): void {
    this.#gateways.add(gw);
    const oldest = this.#gateways.size > MAX_WANTED ? this.#gateways.values().next().value : undefined;
    if (oldest !== undefined) this.#gateways.delete(oldest);
  }

  remove(gw: string): void {
    this.#gateways.delete(gw);
  }
}
