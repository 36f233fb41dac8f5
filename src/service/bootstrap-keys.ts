import { isAbsolute } from 'node:path';
import { parseIp } from '../model/ip.ts';
import { LOG_FORMATS, LOG_LEVELS } from './log.ts';

/** What a value may be: `expected` completes "must be …"; `coerce` reads the text of a flag or environment variable. */
export type Format = {
  readonly expected: string;
  readonly valid: (value: unknown) => boolean;
  readonly coerce?: (text: string) => unknown;
};

export type BootstrapKey = { readonly default: string | number; readonly doc: string; readonly format: Format };

/** Bytes that fit sockaddr_un.sun_path with its closing zero (unix(7)). */
const SOCKET_PATH_MAX = 107;
const PORT_MAX = 65_535;

const text = (expected: string, valid: (value: string) => boolean): Format => ({
  expected,
  valid: (value) => typeof value === 'string' && !value.includes('\0') && valid(value),
});
const orEmpty = (format: Format): Format => ({
  expected: `empty or ${format.expected}`,
  valid: (value) => value === '' || format.valid(value),
});
const oneOf = (...words: readonly string[]): Format => text(`one of ${words.join(', ')}`, (v) => words.includes(v));

const anyText = text('text', () => true);
const path = text('an absolute path', isAbsolute);
const socketPath = text(
  `an absolute path of at most ${SOCKET_PATH_MAX} bytes`,
  (v) => isAbsolute(v) && Buffer.byteLength(v) <= SOCKET_PATH_MAX,
);
const gatewayName = text('1 to 63 of the characters a-z, 0-9 and -', (v) => /^[a-z0-9-]{1,63}$/.test(v));
// A fleet is one level of MQTT topics: no slash, no wildcard.
const fleetName = text('1 to 63 letters, digits, dots, dashes or underscores', (v) => /^[\w.-]{1,63}$/.test(v));
const vtepAddress = text('an IPv4 or IPv6 address of this gateway', (v) => {
  const address = parseIp(v);
  return address !== undefined && address !== '0.0.0.0' && address !== '::';
});
const port: Format = {
  expected: `a whole number from 1 to ${PORT_MAX}`,
  valid: (v) => Number.isInteger(v) && Number(v) >= 1 && Number(v) <= PORT_MAX,
  coerce: (v) => (/^\d{1,5}$/.test(v) ? Number(v) : v),
};
const listen = text('ADDRESS:PORT, e.g. 127.0.0.1:8479 or [::1]:8479', (v) => parseListen(v) !== undefined);
// base64url of 32 bytes: the last of the 43 characters has four bits
const publicKey = text('a public key of 43 characters, as `linkspan fleet init` prints it', (v) =>
  /^[\w-]{42}[AEIMQUYcgkosw048]$/.test(v),
);
const isBrokerUrl = (v: string): boolean => {
  const url = URL.parse(v);
  if (!url || !/^(mqtts?|wss?):$/.test(url.protocol)) return false;
  return url.hostname !== '' && url.username === '' && url.password === '';
};
const brokerUrls = text(
  "a URL like mqtt://HOST:1883, mqtts://HOST:8883, ws:// or wss://, without user name and password in it, or those of a cluster's nodes with commas between",
  (v) => v.split(',').every(isBrokerUrl),
);

/** Every key of the bootstrap file. The environment name follows from the key: see `environmentName`. */
export const BOOTSTRAP_KEYS: Readonly<Record<string, BootstrapKey>> = {
  gateway: { default: '', doc: 'name of this gateway (default: its host name)', format: gatewayName },
  fleet: { default: 'default', doc: 'name of the fleet; first level of its MQTT topics', format: fleetName },
  'underlay.address': {
    default: '',
    doc: 'address of this VTEP (empty: source address of the default route)',
    format: orEmpty(vtepAddress),
  },
  'underlay.port': { default: 4789, doc: 'UDP port of VXLAN', format: port },
  'mqtt.url': {
    default: '',
    doc: "the broker, or a cluster's nodes with commas between, tried in turn (empty: start the embedded one and use it)",
    format: orEmpty(brokerUrls),
  },
  'mqtt.embedded.listen': { default: '0.0.0.0:1883', doc: 'where the embedded broker listens', format: listen },
  'mqtt.embedded.cert': {
    default: '',
    doc: "file with the embedded broker's certificate (PEM; empty: it speaks without TLS)",
    format: orEmpty(path),
  },
  'mqtt.embedded.key': { default: '', doc: "file with that certificate's private key (PEM)", format: orEmpty(path) },
  'mqtt.embedded.ca': {
    default: '',
    doc: 'file with the authority that signs the certificates of clients, which then need one (PEM; empty: they need none)',
    format: orEmpty(path),
  },
  'mqtt.username': { default: '', doc: 'user name at the broker', format: anyText },
  'mqtt.passwordFile': { default: '', doc: "file with the broker's password", format: orEmpty(path) },
  'mqtt.ca': { default: '', doc: "file with the broker's certificate authority (PEM)", format: orEmpty(path) },
  'mqtt.cert': { default: '', doc: "file with this gateway's certificate (PEM)", format: orEmpty(path) },
  'mqtt.key': { default: '', doc: "file with the certificate's private key (PEM)", format: orEmpty(path) },
  'state.path': { default: '/var/lib/linkspan/linkspan.db', doc: 'the state file (SQLite)', format: path },
  'trust.key': {
    default: '',
    doc: "file with this gateway's own signing key, made where missing (empty: beside the state file)",
    format: orEmpty(path),
  },
  'trust.fleetKey': {
    default: '',
    doc: "the fleet's public key, which vouches for its gateways and documents (empty: none)",
    format: orEmpty(publicKey),
  },
  'trust.policy': {
    default: 'auto',
    doc: 'of what comes unsigned or wrongly signed: require (refuse it), warn (tell of it and take it), off, or auto: require where a fleet key is configured, off otherwise',
    format: oneOf('auto', 'require', 'warn', 'off'),
  },
  'control.socket': { default: '/run/linkspan/linkspan.sock', doc: 'the control socket', format: socketPath },
  'datapath.engine': {
    default: 'auto',
    doc: "engine of overlay networks that name none: kernel (Linux's vxlan), user (linkspan-datapath), or auto: kernel where the kernel has vxlan",
    format: oneOf('auto', 'kernel', 'user'),
  },
  'datapath.workers': {
    default: 'auto',
    doc: 'threads of the user engine: one, two (one for each direction), or auto: two where there are more than two cores',
    format: oneOf('auto', 'one', 'two'),
  },
  'datapath.socket': { default: '/run/linkspan/datapath.sock', doc: "the datapath's socket", format: socketPath },
  'names.resolvConf': {
    default: '/etc/resolv.conf',
    doc: 'lists the name servers that answer what is no name of a workload (empty: workloads get no resolver)',
    format: orEmpty(path),
  },
  'status.listen': { default: '127.0.0.1:8479', doc: 'where the status page and API listen', format: listen },
  'docker.pluginSocket': {
    default: '/run/docker/plugins/linkspan.sock',
    doc: 'socket of the Docker plugin (empty: off)',
    format: orEmpty(socketPath),
  },
  'docker.engineSocket': {
    default: '/var/run/docker.sock',
    doc: "socket of Docker's engine (empty: off)",
    format: orEmpty(socketPath),
  },
  'log.level': { default: 'info', doc: LOG_LEVELS.join(', '), format: oneOf(...LOG_LEVELS) },
  'log.format': { default: 'auto', doc: LOG_FORMATS.join(', '), format: oneOf(...LOG_FORMATS) },
};

/** The environment variable of a key: `mqtt.passwordFile` is LINKSPAN_MQTT_PASSWORD_FILE. */
export function environmentName(key: string): string {
  return `LINKSPAN_${key
    .replaceAll('.', '_')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()}`;
}

/** Splits `ADDRESS:PORT` (an IPv6 address in brackets; port 0 lets the kernel choose), or returns undefined. */
export function parseListen(value: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  const host = parseIp(match?.[1] ?? match?.[2] ?? '');
  const number = Number(match?.[3]);
  if (!host || host.includes(':') !== (match?.[1] !== undefined) || number > PORT_MAX) return undefined;
  return { host, port: number };
}
