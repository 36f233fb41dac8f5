import type { GatewayStatus } from '../model/status.ts';
import manifest from '../../package.json' with { type: 'json' };
import type { Client } from './client.ts';
import { CliError, EXIT } from './exit.ts';
import type { Verb } from './verb.ts';

export const VERSION_VERBS: readonly Verb[] = [
  {
    name: 'version',
    usage: '',
    summary: 'the version of this program and of the running service',
    arity: [0, 0],
    run: async ({ client, output, json }) => {
      const service = await serviceVersion(client);
      if (json) output.json({ linkspan: manifest.version, service });
      else output.line(`linkspan ${manifest.version}, service ${service ?? 'not running'}`);
      return EXIT.ok;
    },
  },
];

async function serviceVersion(client: Client): Promise<string | null> {
  try {
    return (await client.get<GatewayStatus>('/v1/status')).version;
  } catch (error) {
    // This program has a version whether or not a service can be asked for its own.
    if (error instanceof CliError) return null;
    throw error;
  }
}
