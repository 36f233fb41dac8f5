import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { RunResult } from '../exec.ts';
import { until } from '../wait.ts';

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
const STDERR = '/run/lab-stderr';

/** Root's shell on the gateway's second console, where systemd starts one from its first second on. */
export class RootShell {
  readonly #socket: Socket;
  #said = Buffer.alloc(0);
  #last: Promise<unknown> = Promise.resolve();

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => (this.#said = Buffer.concat([this.#said, chunk])));
  }

  /** Waits until a shell answers: at first, and after each start of the gateway. */
  async ready(timeoutMs: number): Promise<void> {
    // Whatever was asked of a shell that is gone gets no answer.
    this.#last = Promise.resolve();
    const mark = randomBytes(6).toString('hex');
    // A second shell in place of the first, with neither prompt nor echo. What the terminal still echoes is not the sum.
    const plain = '[ "$PLAIN" ] || { stty raw -echo; exec env PLAIN=1 sh -s 2>/dev/null; }';
    const knock = `\n${plain}\necho ${mark}-$((1 + 1))\n`;
    await until(
      'a shell on the gateway',
      async () => {
        this.#socket.write(knock);
        return until('its answer', () => this.#said.includes(`${mark}-2\n`), 1000);
      },
      timeoutMs,
    );
    await this.#exchange('true', 10_000);
  }

  /** Runs one command at a time; a failure is in the result's `code`, as that of GNU's timeout is (124). */
  run(argv: readonly string[], timeoutS: number): Promise<RunResult> {
    const command = ['timeout', '-k', '5', String(timeoutS), ...argv].map(quoted).join(' ');
    const result = this.#last.then(() => this.#exchange(command, (timeoutS + 15) * 1000));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #exchange(command: string, timeoutMs: number): Promise<RunResult> {
    const mark = randomBytes(6).toString('hex');
    const pattern = new RegExp(`\\n<${mark} (\\d+)>\\n([\\s\\S]*)\\n<${mark} end>\\n`);
    this.#said = Buffer.alloc(0);
    const answer = `printf '\\n<%s %d>\\n' ${mark} $?; cat ${STDERR}; printf '\\n<%s end>\\n' ${mark}`;
    this.#socket.write(`${command} </dev/null 2>${STDERR}; ${answer}\n`);
    const text = await until(
      `the answer to ${command}`,
      () => this.#said.includes(`\n<${mark} end>\n`) && this.#said.toString(),
      timeoutMs,
    );
    const match = pattern.exec(text);
    return { code: Number(match?.[1]), stdout: text.slice(0, match?.index), stderr: match?.[2] ?? '' };
  }
}
