import { NAME_PATTERNS } from '../document/index.ts';
import { parseIp, parseIpPrefix } from '../model/ip.ts';
import { parseMac, type Mac } from '../model/mac.ts';
import type { Sandbox } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import type { EndpointStatus } from '../model/status.ts';
import { messageOf } from '../service/errors.ts';
import { json, problem, type Reply } from '../status/reply.ts';
import type { Route } from '../status/router.ts';

/** A workload to put on a network; `address` is plain or with its prefix length; absent parts are Linkspan's choice. */
export type AttachRequest = {
  readonly workload: string;
  readonly network: string;
  readonly sandbox: Sandbox;
  readonly address?: string;
  readonly mac?: Mac;
  readonly interface?: string;
};

export type Refusal = {
  readonly ok: false;
  readonly reason: 'not_found' | 'refused' | 'failed';
  readonly problem: Problem;
};

/** What the control socket can ask of the gateway. */
export interface Commands {
  apply(body: Uint8Array): { accepted: true; version: number } | { accepted: false; problems: readonly Problem[] };
  /** The document's problems; none for a valid one. Changes nothing. */
  validate(body: Uint8Array): readonly Problem[];
  attach(request: AttachRequest): Promise<{ ok: true; endpoint: EndpointStatus } | Refusal>;
  /** Detaches a workload from one network, or from all where `network` is undefined. */
  detach(workload: string, network: string | undefined): Promise<{ ok: true; removed: number } | Refusal>;
}

// One rule for a name, wherever it comes from: narrower than the kernel's, since names become words of `ip -batch`.
const { name: NAME, interface: INTERFACE, netns: NETNS, container: CONTAINER } = NAME_PATTERNS;
const PID_MAX = 2 ** 22;

const text = (pattern: string): object => ({ type: 'string', pattern });
const DETACH_SCHEMA = {
  type: 'object',
  required: ['workload'],
  properties: { workload: text(NAME), network: text(NAME) },
};
const ATTACH_SCHEMA = {
  type: 'object',
  required: ['workload', 'network', 'sandbox'],
  properties: {
    workload: text(NAME),
    network: text(NAME),
    sandbox: {
      oneOf: [
        { type: 'object', required: ['netns'], properties: { netns: text(NETNS) } },
        { type: 'object', required: ['container'], properties: { container: text(CONTAINER) } },
        { type: 'object', required: ['pid'], properties: { pid: { type: 'integer', minimum: 1, maximum: PID_MAX } } },
      ],
    },
    address: { type: 'string' },
    mac: { type: 'string' },
    interface: text(INTERFACE),
  },
};

/** The routes that change something: for the control socket only. */
export function writeRoutes(commands: Commands): readonly Route[] {
  const document = { $ref: '/schema/desired.json' };
  return [
    post('/v1/desired', 'Apply a desired document', document, (body) => apply(commands, body)),
    post('/v1/validate', 'Check a desired document', document, (body) => validate(commands, body)),
    post('/v1/attach', 'Put a workload on a network', ATTACH_SCHEMA, (body) => attach(commands, body)),
    post('/v1/detach', 'Take a workload off its networks', DETACH_SCHEMA, (body) => detach(commands, body)),
  ];
}

type Write = (body: Uint8Array) => Reply | Promise<Reply>;

function post(path: string, summary: string, accepts: object, run: Write): Route {
  const handle = ({ body }: { body: Uint8Array }): Promise<Reply> => guarded(body, run);
  return { method: 'POST', path, summary, accepts, produces: 'application/json', handle };
}

/** A request that breaks its own rules: 400, nothing was asked of the gateway. */
class BadRequest extends Error {}

async function guarded(body: Uint8Array, run: Write): Promise<Reply> {
  try {
    return await run(body);
  } catch (error) {
    if (error instanceof BadRequest) return problem(400, error.message);
    throw error;
  }
}

function apply(commands: Commands, body: Uint8Array): Reply {
  parseJson(body);
  const outcome = commands.apply(body);
  return outcome.accepted ? json(outcome, 202) : rejected(outcome.problems);
}

function validate(commands: Commands, body: Uint8Array): Reply {
  parseJson(body);
  const problems = commands.validate(body);
  return problems.length === 0 ? json({ valid: true }) : rejected(problems);
}

async function attach(commands: Commands, body: Uint8Array): Promise<Reply> {
  const outcome = await commands.attach(parseAttach(parseObject(body)));
  return outcome.ok ? json(outcome.endpoint) : refusal(outcome);
}

async function detach(commands: Commands, body: Uint8Array): Promise<Reply> {
  const fields = parseObject(body);
  const outcome = await commands.detach(required(fields, 'workload', NAME), optional(fields, 'network', NAME));
  return outcome.ok ? json({ removed: outcome.removed }) : refusal(outcome);
}

function rejected(problems: readonly Problem[]): Reply {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const detail = `the document has ${count}; nothing was changed, mend what \`errors\` names and send it again`;
  return problem(422, detail, { errors: problems });
}

const REFUSAL_STATUS = { not_found: 404, refused: 409, failed: 500 } as const;

function refusal(outcome: Refusal): Reply {
  return problem(REFUSAL_STATUS[outcome.reason], outcome.problem.message, { errors: [outcome.problem] });
}

type Fields = Readonly<Record<string, unknown>>;

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
  } catch (error) {
    throw new BadRequest(`the body is not JSON: ${messageOf(error)}; send one JSON object in UTF-8`, { cause: error });
  }
}

function parseObject(body: Uint8Array): Fields {
  return asObject(parseJson(body), 'the body');
}

function asObject(value: unknown, object: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new BadRequest(`${object} is not a JSON object; GET /openapi.json says what it holds`);
}

function parseAttach(fields: Fields): AttachRequest {
  const [address, mac, device] = [
    optional(fields, 'address'),
    optional(fields, 'mac'),
    optional(fields, 'interface', INTERFACE),
  ];
  return {
    workload: required(fields, 'workload', NAME),
    network: required(fields, 'network', NAME),
    sandbox: parseSandbox(asObject(fields['sandbox'], 'sandbox')),
    ...(address !== undefined && { address: parseAddress(address) }),
    ...(mac !== undefined && { mac: parseUnicast(mac) }),
    ...(device !== undefined && { interface: device }),
  };
}

function parseSandbox(fields: Fields): Sandbox {
  const given = ['netns', 'pid', 'container'].filter((kind) => fields[kind] !== undefined);
  if (given.length !== 1) throw new BadRequest('sandbox: give one of netns, pid and container');
  if (given[0] === 'netns') return { kind: 'netns', name: required(fields, 'netns', NETNS, 'sandbox/') };
  if (given[0] === 'container') {
    return { kind: 'container', name: required(fields, 'container', CONTAINER, 'sandbox/') };
  }
  const { pid } = fields;
  if (Number.isInteger(pid) && Number(pid) >= 1 && Number(pid) <= PID_MAX) return { kind: 'pid', pid: Number(pid) };
  throw new BadRequest(`sandbox/pid: not a process number; give an integer from 1 to ${PID_MAX}`);
}

function parseAddress(value: string): string {
  if (parseIp(value) ?? parseIpPrefix(value)) return value;
  throw new BadRequest(`address: ${JSON.stringify(value)} is no IP address; write for example 10.110.0.21`);
}

function parseUnicast(value: string): Mac {
  const mac = parseMac(value);
  if (mac) return mac;
  throw new BadRequest(
    `mac: ${JSON.stringify(value)} is no unicast Ethernet address; write for example 02:00:00:00:00:21`,
  );
}

function required(fields: Fields, name: string, pattern: string, prefix = ''): string {
  const value = optional(fields, name, pattern, prefix);
  if (value === undefined) throw new BadRequest(`${prefix}${name}: missing; give it as a string`);
  return value;
}

function optional(fields: Fields, name: string, pattern = '', prefix = ''): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined) return undefined;
  if (typeof value === 'string' && new RegExp(pattern, 'u').test(value)) return value;
  throw new BadRequest(
    `${prefix}${name}: ${JSON.stringify(value)} is not valid here${pattern && `; it must match ${pattern}`}`,
  );
}
