import type { Invocation, Verb } from './verb.ts';

const text = { type: 'string' } as const;

/** Where what was signed goes: to a broker, or else to standard output. */
const BROKER_OPTIONS = {
  broker: text,
  username: text,
  'password-file': text,
  ca: text,
  cert: text,
  'cert-key': text,
} as const;

const BROKER_USAGE = '[--broker URL [--username NAME --password-file FILE] [--ca FILE] [--cert FILE --cert-key FILE]]';

/** For the fleet's owner, wherever the fleet's key is: none of them needs the service. */
export const FLEET_VERBS: readonly Verb[] = [
  {
    name: 'fleet init',
    usage: '--fleet NAME [--dir DIR]',
    summary: "make a fleet's key, which vouches for its gateways",
    arity: [0, 0],
    options: { dir: text, fleet: text },
    run: act('init'),
  },
  {
    name: 'fleet enrol',
    usage: `GATEWAY --key KEY [--vnis 1-4,10110] [--dir DIR] ${BROKER_USAGE}`,
    summary: 'vouch for a gateway, whose `linkspan key show` prints KEY',
    arity: [1, 1],
    options: { dir: text, key: text, vnis: text, ...BROKER_OPTIONS },
    run: act('enrol'),
  },
  {
    name: 'fleet revoke',
    usage: `GATEWAY [--dir DIR] ${BROKER_USAGE}`,
    summary: 'have all gateways forget one, and refuse what it says',
    arity: [1, 1],
    options: { dir: text, ...BROKER_OPTIONS },
    run: act('revoke'),
  },
  {
    name: 'fleet publish',
    usage: `[--dir DIR] ${BROKER_USAGE}`,
    summary: 'publish all trust records again, after a broker lost some',
    arity: [0, 0],
    options: { dir: text, ...BROKER_OPTIONS },
    run: act('publish'),
  },
  {
    name: 'fleet sign',
    usage: `-f FILE GATEWAY [--request ID] [--dir DIR] ${BROKER_USAGE}`,
    summary: 'sign a document (or a request) for a gateway',
    arity: [1, 1],
    options: { dir: text, file: { type: 'string', short: 'f' }, request: text, ...BROKER_OPTIONS },
    run: act('sign'),
  },
];

/** Loaded only where it is wanted: a gateway itself is asked often, by commands that need no keys. */
function act(name: 'init' | 'enrol' | 'revoke' | 'publish' | 'sign'): Verb['run'] {
  return async (invocation: Invocation) => (await import('./fleet-acts.ts')).FLEET_ACTS[name](invocation);
}
