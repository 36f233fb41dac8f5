/** One thing the demo showed: what was seen, in a line, and longer evidence below it. */
export type Seen = { readonly detail: string; readonly evidence?: readonly string[] };

export type Check = { readonly name: string; readonly ok: boolean; readonly detail: string };

/** A check that saw something else than it should have. */
export class Unexpected extends Error {
  readonly expected: string;
  readonly seen: string;

  constructor(expected: string, seen: string) {
    super(`expected ${expected}; seen: ${seen}`);
    this.expected = expected;
    this.seen = seen;
  }
}

/** Throws Unexpected unless `met`. */
export function expectThat(met: boolean, expected: string, seen: string): void {
  if (!met) throw new Unexpected(expected, seen);
}

const WIDTH = 80;
const COLOURED = process.stdout.isTTY && !process.env['NO_COLOR'];

function paint(code: number, text: string): string {
  return COLOURED ? `\x1b[${code}m${text}\x1b[0m` : text;
}

/** Cut to what is left of 80 columns behind an indent of `indent`. */
export function shortened(text: string, indent = 0): string {
  return text.length + indent <= WIDTH ? text : `${text.slice(0, WIDTH - indent - 1)}…`;
}

/** What the demo prints: lines for people as they come, or (`json`) nothing before the end. */
export class Report {
  readonly checks: Check[] = [];
  readonly #json: boolean;
  #muted = false;

  constructor(json: boolean) {
    this.#json = json;
  }

  /** From now on nothing is printed: what fails after ctrl-C fails because everything is taken down. */
  mute(): void {
    this.#muted = true;
  }

  get muted(): boolean {
    return this.#muted;
  }

  line(text = ''): void {
    if (!this.#json && !this.#muted) process.stdout.write(`${text}\n`);
  }

  /** Runs one step, prints it and keeps it; a step that fails is printed and thrown on. */
  async step(name: string, show: () => Promise<Seen>): Promise<void> {
    try {
      const { detail, evidence = [] } = await show();
      this.checks.push({ name, ok: true, detail });
      this.line(`${paint(32, '✓')} ${name.padEnd(10)} ${detail}`);
      for (const text of evidence) this.line(paint(2, `    ${shortened(text, 4)}`));
    } catch (error) {
      const { expected, seen } = error instanceof Unexpected ? error : { expected: 'it to work', seen: String(error) };
      this.checks.push({ name, ok: false, detail: `expected ${expected}; seen: ${seen}` });
      this.line(`${paint(31, '✗')} ${name}\n    expected: ${expected}\n    seen:     ${seen}`);
      throw error;
    }
  }

  /** The machine-readable result, the only thing on standard output with `--json`. */
  finish(result: Readonly<Record<string, unknown>>): void {
    if (this.#json && !this.#muted)
      process.stdout.write(`${JSON.stringify({ ...result, checks: this.checks }, undefined, 2)}\n`);
  }
}
