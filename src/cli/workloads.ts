import type { EndpointStatus } from '../model/status.ts';
import { endpointTable } from './columns.ts';
import { EXIT, usageError, type ExitCode } from './exit.ts';
import { option, type Invocation, type Values, type Verb } from './verb.ts';

export const WORKLOAD_VERBS: readonly Verb[] = [
  {
    name: 'endpoint ls',
    usage: '',
    summary: "the workloads' interfaces",
    arity: [0, 0],
    run: async ({ client, output, json }) => {
      const endpoints = await client.get<readonly EndpointStatus[]>('/v1/endpoints');
      if (json) output.json(endpoints);
      else endpointTable(output, endpoints);
      return EXIT.ok;
    },
  },
  {
    name: 'attach',
    usage: 'WORKLOAD NETWORK --netns NS|--pid N|--container NAME\n       [--address A] [--mac M] [--interface NAME]',
    summary: 'put a workload on a network',
    arity: [2, 2],
    options: {
      netns: { type: 'string' },
      pid: { type: 'string' },
      container: { type: 'string' },
      address: { type: 'string' },
      mac: { type: 'string' },
      interface: { type: 'string' },
    },
    run: attach,
  },
  {
    name: 'detach',
    usage: 'WORKLOAD [NETWORK]',
    summary: 'take it off one network, or off all',
    arity: [1, 2],
    run: detach,
  },
];

async function attach({ client, output, json, positionals, values }: Invocation): Promise<ExitCode> {
  const [workload, network] = positionals;
  const { address, mac, interface: device } = values;
  const request = { workload, network, sandbox: sandboxOf(values), address, mac, interface: device };
  const endpoint = await client.post<EndpointStatus>('/v1/attach', JSON.stringify(request));
  if (json) output.json(endpoint);
  else endpointTable(output, [endpoint]);
  return EXIT.ok;
}

function sandboxOf(values: Values): object {
  const [netns, pid, container] = [option(values, 'netns'), option(values, 'pid'), option(values, 'container')];
  if ([netns, pid, container].filter((given) => given !== undefined).length !== 1) {
    throw usageError('attach: give one of --netns NS, --pid N and --container NAME');
  }
  if (pid === undefined) return netns === undefined ? { container } : { netns };
  if (!/^[1-9]\d{0,6}$/.test(pid)) throw usageError(`attach: --pid ${pid} is not a process number`);
  return { pid: Number(pid) };
}

async function detach({ client, output, json, positionals }: Invocation): Promise<ExitCode> {
  const [workload, network] = positionals;
  const answer = await client.post<{ readonly removed: number }>('/v1/detach', JSON.stringify({ workload, network }));
  if (json) output.json(answer);
  else output.line(`${answer.removed} ${answer.removed === 1 ? 'endpoint' : 'endpoints'} removed`);
  return EXIT.ok;
}
