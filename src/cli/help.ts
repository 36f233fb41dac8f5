import type { Verb } from './verb.ts';

const EXAMPLES = `Examples:
  linkspan apply -f site.yaml --wait
  linkspan attach historian line1 --netns w1 --address 10.110.0.21`;

const GLOBAL = `Options of every command:
  --socket PATH   control socket (default $LINKSPAN_SOCKET or
                  /run/linkspan/linkspan.sock)
  --json          machine-readable output
  --help          this text, or a command's own

Exit codes: 0 ok or healthy, 1 failed or degraded, 2 usage, 3 service not
running, 4 not found, 5 refused.`;

/** The help of the whole program. */
export function programHelp(verbs: readonly Verb[]): string {
  const width = Math.max(...verbs.map((verb) => verb.name.length)) + 2;
  const lines = verbs.map((verb) => `  ${verb.name.padEnd(width)}${verb.summary}`);
  return [
    'linkspan: look at and control the Linkspan service of this gateway',
    `Usage: linkspan COMMAND [OPTIONS]\n\nCommands:\n${lines.join('\n')}\n  ${'help'.padEnd(width)}this text, or help COMMAND`,
    EXAMPLES,
    GLOBAL,
  ].join('\n\n');
}

/** The help of one command. */
export function verbHelp(verb: Verb): string {
  return `linkspan ${verb.name}: ${verb.summary}\n\nUsage: linkspan ${`${verb.name} ${verb.usage}`.trim()}\n\n${GLOBAL}`;
}
