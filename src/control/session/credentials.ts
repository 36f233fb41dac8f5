import { readFile } from 'node:fs/promises';
import { LinkspanError, messageOf } from '../../service/errors.ts';

/** How the broker knows this gateway, and this gateway the broker. Empty: none. */
export type Credentials = {
  readonly username?: string;
  /** files, read anew at each connect so that they may be renewed while the service runs */
  readonly passwordFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
};

/** What the files hold. */
export type ReadCredentials = {
  readonly username?: string;
  readonly password?: string;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
};

/** @throws LinkspanError `broker_credentials` that names the file */
export async function readCredentials({
  username,
  passwordFile,
  ca,
  cert,
  key,
}: Credentials): Promise<ReadCredentials> {
  const [password, caText, certText, keyText] = await Promise.all(
    [passwordFile, ca, cert, key].map((path) => readSecret(path)),
  );
  return {
    ...(username ? { username } : {}),
    ...(password ? { password: password.toString().trimEnd() } : {}),
    ...(caText ? { ca: caText } : {}),
    ...(certText ? { cert: certText } : {}),
    ...(keyText ? { key: keyText } : {}),
  };
}

async function readSecret(path: string | undefined): Promise<Buffer | undefined> {
  if (!path) return undefined;
  return readFile(path).catch((cause: unknown) => {
    const remedy = 'make it readable for the service, or mend its path';
    throw new LinkspanError({ code: 'broker_credentials', object: path, reason: messageOf(cause), remedy, cause });
  });
}
