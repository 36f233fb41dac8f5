import { X509Certificate } from 'node:crypto';
import { LinkspanError, messageOf } from '../../service/errors.ts';

/** Why there is no session, in the words of an event's type. */
export type BrokerTrouble =
  | 'broker_unreachable'
  | 'broker_unauthorised'
  | 'broker_tls'
  | 'broker_credentials'
  | 'broker_refused';

// CONNACK codes: 3.1.1 section 3.2.2.3; 5 section 3.2.2.2
const BAD_VERSION = new Set<unknown>([1, 132]);
const UNAUTHORISED = new Set<unknown>([4, 5, 134, 135, 138, 140]);
const TLS = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME_)/;
const NETWORK = /^(ECONN|EHOST|ENET|ETIMEDOUT|ENOTFOUND|EAI_|EPIPE|EADDR)/;

const REMEDIES: Record<BrokerTrouble, string> = {
  broker_unreachable: 'check mqtt.url, that the broker runs, and the way to it',
  broker_unauthorised: "check mqtt.username and mqtt.passwordFile, and the broker's access rules for this gateway",
  broker_tls: 'check mqtt.ca, mqtt.cert and mqtt.key, their dates and the name in mqtt.url',
  broker_credentials: 'make the file readable for the service, or mend its path',
  broker_refused: "read the broker's log for this client id",
};

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** Whether the broker refused this version of MQTT. */
export function isVersionRefusal(error: unknown): boolean {
  return BAD_VERSION.has(codeOf(error));
}

function troubleOf(error: unknown): BrokerTrouble {
  if (error instanceof LinkspanError && error.code === 'broker_credentials') return 'broker_credentials';
  const code = codeOf(error);
  if (UNAUTHORISED.has(code)) return 'broker_unauthorised';
  if (typeof code === 'string' && TLS.test(code)) return 'broker_tls';
  return code === undefined || (typeof code === 'string' && NETWORK.test(code))
    ? 'broker_unreachable'
    : 'broker_refused';
}

/**
 * What to tell a person about a failed connection; `url` without credentials. @param certificate this gateway's own: a
 * broker may close the connection on an expired one without a word
 */
export function explain(
  error: unknown,
  url: string,
  certificate?: Buffer,
): { trouble: BrokerTrouble; message: string } {
  const trouble = troubleOf(error);
  const flaw = certificate && trouble !== 'broker_unauthorised' ? certificateFlaw(certificate) : undefined;
  if (flaw !== undefined) {
    const remedy = 'put a new one into the file of mqtt.cert, or mend the clock';
    return { trouble: 'broker_tls', message: `broker ${url}: ${flaw}; ${remedy}` };
  }
  if (trouble === 'broker_credentials') return { trouble, message: messageOf(error) };
  return { trouble, message: `broker ${url}: ${messageOf(error) || 'connection closed'}; ${REMEDIES[trouble]}` };
}

/** Why the certificate does not hold today; undefined: its dates are right, or it cannot be read. */
function certificateFlaw(pem: Buffer): string | undefined {
  try {
    const { validFromDate: from, validToDate: to } = new X509Certificate(pem);
    if (Date.now() > to.getTime()) return `this gateway's certificate expired on ${to.toISOString()}`;
    return Date.now() < from.getTime() ? `this gateway's certificate holds from ${from.toISOString()} on` : undefined;
  } catch {
    return undefined;
  }
}
