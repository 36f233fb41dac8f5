import { join } from 'node:path';
import type { Credentials } from '../../../src/control/session/credentials.ts';
import type { Lab } from '../../lab/lab.ts';

/** Lines of a listener's configuration, and the files that a gateway shows and trusts. */
export type Certified = { readonly lines: readonly string[]; readonly credentials: Credentials };

/** A certificate authority, and certificates by it for the broker and for the gateways, which share one here. */
export async function makeCertificates(lab: Lab, folder: string): Promise<Certified> {
  const at = (name: string): string => join(folder, name);
  const [ca, caKey] = [at('ca.pem'), at('ca.key')];
  await openssl(lab, ['-keyout', caKey, '-out', ca, '-subj', '/CN=bench authority']);
  const signed = async (name: string, subject: string): Promise<readonly [cert: string, key: string]> => {
    const [cert, key] = [at(`${name}.pem`), at(`${name}.key`)];
    const by = ['-CA', ca, '-CAkey', caKey, '-addext', 'subjectAltName=IP:127.0.0.1'];
    await openssl(lab, ['-keyout', key, '-out', cert, '-subj', subject, ...by]);
    return [cert, key];
  };
  const [cert, key] = await signed('broker', '/CN=broker');
  const [ownCert, ownKey] = await signed('gateway', '/CN=gateway');
  return {
    lines: [`cafile ${ca}`, `certfile ${cert}`, `keyfile ${key}`, 'require_certificate true'],
    credentials: { ca, cert: ownCert, key: ownKey },
  };
}

/** A certificate of a day, with a new key on P-256: the curve that TLS servers commonly have. */
async function openssl(lab: Lab, args: readonly string[]): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'];
  await lab.run(['openssl', 'req', '-x509', '-days', '1', ...key, ...args]);
}
