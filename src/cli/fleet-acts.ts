import { formatTopic } from '../control/session/topics.ts';
import { LinkspanError, messageOf } from '../service/errors.ts';
import { FleetDirectory, type FleetDirectoryOptions } from '../trust/fleet-directory.ts';
import { type PublicKey, parsePublicKey } from '../trust/key.ts';
import { parseVniRanges, type VniRanges } from '../trust/vni-ranges.ts';
import { readDocument } from './document.ts';
import { CliError, EXIT, type ExitCode, usageError } from './exit.ts';
import { publishOrPrint } from './publish.ts';
import { type Invocation, option, type Values, type Verb } from './verb.ts';

const DIRECTORY = 'linkspan-fleet';
const GATEWAY = /^[a-z0-9-]{1,63}$/;
const REQUEST = /^[\w-]{1,64}$/;

export const FLEET_ACTS = {
  init: guarded(init),
  enrol: guarded(enrol),
  revoke: guarded(revoke),
  publish: guarded(async (invocation) => publishOrPrint(fleetOf(invocation.values).statements(), invocation)),
  sign: guarded(sign),
} as const;

async function init({ values, output, json }: Invocation): Promise<void> {
  const name = option(values, 'fleet') ?? usage('fleet init: give the name of the fleet with --fleet NAME');
  const { fleet, key } = FleetDirectory.make(optionsOf(values), name);
  if (json) output.json({ fleet, key: key.public.text, key_id: key.public.id });
  else output.line(`fleetKey: ${key.public.text}`);
}

async function enrol(invocation: Invocation): Promise<void> {
  const { values } = invocation;
  const statement = fleetOf(values).grant(gatewayIn(invocation), { key: keyIn(values), vnis: vnisIn(values) });
  await publishOrPrint([statement], invocation);
}

async function revoke(invocation: Invocation): Promise<void> {
  await publishOrPrint([fleetOf(invocation.values).grant(gatewayIn(invocation), 'revoked')], invocation);
}

async function sign(invocation: Invocation): Promise<void> {
  const { values } = invocation;
  const [fleet, gw, id] = [fleetOf(values), gatewayIn(invocation), option(values, 'request')];
  if (id !== undefined && !REQUEST.test(id)) usage(`--request ${id}: 1 to 64 letters, digits, dashes or underscores`);
  const topic = formatTopic(fleet.fleet, id === undefined ? { kind: 'desired', gw } : { kind: 'rpc_req', gw, id });
  const statement = fleet.seal(topic, Buffer.from(await readDocument(values)));
  await publishOrPrint([statement], { ...invocation, retain: id === undefined });
}

/** What goes wrong with files and keys has a remedy already: said, it is the command's end. */
function guarded(run: (invocation: Invocation) => Promise<void>): Verb['run'] {
  return async (invocation): Promise<ExitCode> => {
    try {
      await run(invocation);
      return EXIT.ok;
    } catch (error) {
      if (error instanceof LinkspanError) throw new CliError(EXIT.failed, messageOf(error));
      throw error;
    }
  };
}

function fleetOf(values: Values): FleetDirectory {
  return FleetDirectory.open(optionsOf(values));
}

function optionsOf(values: Values): FleetDirectoryOptions {
  const directory = option(values, 'dir') ?? DIRECTORY;
  return { directory, topicOf: trustTopic, now: Math.floor(Date.now() / 1000) };
}

function trustTopic(fleet: string, gw: string): string {
  return formatTopic(fleet, { kind: 'trust', gw });
}

function gatewayIn({ positionals: [gw = ''] }: Invocation): string {
  return GATEWAY.test(gw) ? gw : usage(`${gw}: no gateway's name; it has 1 to 63 of the characters a-z, 0-9 and -`);
}

function keyIn(values: Values): PublicKey {
  const given = option(values, 'key') ?? usage('fleet enrol: give the key that `linkspan key show` prints with --key');
  return parsePublicKey(given) ?? usage(`--key ${given}: no public key; give the 43 characters of linkspan key show`);
}

function vnisIn(values: Values): VniRanges {
  try {
    return parseVniRanges(option(values, 'vnis') ?? 'all');
  } catch (error) {
    return usage(messageOf(error));
  }
}

function usage(message: string): never {
  throw usageError(message);
}
