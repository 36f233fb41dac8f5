import { NAME_PATTERNS } from '../../document/index.ts';
import { parseIp, parseIpPrefix } from '../../model/ip.ts';
import { parseMac, type Mac } from '../../model/mac.ts';
import type { Sandbox } from '../../model/network.ts';
import { asObject, BadRequest, type Fields, optional, required, shown } from './request-body.ts';

/** A workload to put on a network; `address` is plain or with its prefix length; absent parts are Linkspan's choice. */
export type AttachRequest = {
  readonly workload: string;
  readonly network: string;
  readonly sandbox: Sandbox;
  readonly address?: string;
  readonly mac?: Mac;
  readonly interface?: string;
};

/** What `/v1/detach` takes off. */
export type DetachRequest = {
  readonly workload: string;
  /** undefined: all of them */
  readonly network: string | undefined;
};

/** What `/v1/clear` takes as an ordinary device again. */
export type ClearRequest = { readonly network: string; readonly mac: Mac };

// One rule for a name, wherever it comes from: narrower than the kernel's, since names become words of `ip -batch`.
const { name: NAME, interface: INTERFACE, netns: NETNS, container: CONTAINER } = NAME_PATTERNS;
const PID_MAX = 2 ** 22;

const text = (pattern: string): object => ({ type: 'string', pattern });
export const DETACH_SCHEMA = {
  type: 'object',
  required: ['workload'],
  properties: { workload: text(NAME), network: text(NAME) },
};
export const CLEAR_SCHEMA = {
  type: 'object',
  required: ['network', 'mac'],
  properties: { network: text(NAME), mac: { type: 'string' } },
};
export const ATTACH_SCHEMA = {
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

/** @throws BadRequest that names the field */
export function parseAttach(fields: Fields): AttachRequest {
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
  throw new BadRequest(`address: ${shown(value)} is no IP address; write for example 10.110.0.21`);
}

function parseUnicast(value: string): Mac {
  const mac = parseMac(value);
  if (mac) return mac;
  throw new BadRequest(`mac: ${shown(value)} is no unicast Ethernet address; write for example 02:00:00:00:00:21`);
}

/** @throws BadRequest that names the field */
export function parseDetach(fields: Fields): DetachRequest {
  return { workload: required(fields, 'workload', NAME), network: optional(fields, 'network', NAME) };
}

/** @throws BadRequest that names the field */
export function parseClear(fields: Fields): ClearRequest {
  return { network: required(fields, 'network', NAME), mac: parseUnicast(required(fields, 'mac', '')) };
}
